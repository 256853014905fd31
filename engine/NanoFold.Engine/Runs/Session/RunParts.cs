using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs;

/// <summary>
/// What computes in a run: the model, and what trains, evaluates and measures it. They never run at the same time, so their activations share one arena, which is
/// as large as the largest of them needs.
/// </summary>
internal sealed class RunParts : IDisposable
{
    /// <param name="config">Resolved, its vocabulary and batch known.</param>
    /// <param name="task">What is learned; not disposed here.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="folder">Where measurements are written, or null.</param>
    /// <param name="drawsParameters">False where all parameters are read from a file next.</param>
    /// <param name="collective">The processes that train together; number 0 evaluates and measures.</param>
    public RunParts(RunConfig config, LearningTask task, Backend backend, RunFolder? folder, bool drawsParameters, ICollective collective)
    {
        TrainConfig train = config.Planned();
        Model = new Transformer(config.Model, backend, drawsParameters ? new SeedSource((ulong)train.Seed) : null, train.Trains);
        Arena = new SharedArena(backend);
        try
        {
            Reference = RunReference.Of(config, Model);
            Trainer = new Trainer(Model, train, task, Arena, collective, Reference);
            long arena = Trainer.ArenaBytes;
            Arithmetic arithmetic = train.Precision.Arithmetic(Model.Backend);
            if (task.Places(TaskSplit.Validation) > 0 && collective.Rank == 0)
            {
                int part = train.EvaluationWindows ?? EvaluationShare.Windows(train, config.Model.Context);
                Evaluator = new Evaluator(Model, task, part: part, arithmetic: arithmetic, arena: Arena);
                arena = Math.Max(arena, Evaluator.ArenaBytes);
            }

            if (config.Geometry.Measures.Count > 0 && config.Geometry.Enabled && collective.Rank == 0)
            {
                GeometryProbe probe = NewProbe(config, task, arithmetic);
                Geometry = new GeometryRecorder(probe, config.Geometry, (long)train.Batch * train.Accumulate * config.Model.Context, folder?.Geometry);
                arena = Math.Max(arena, probe.ArenaBytes);
            }

            Arena.Reserve(arena);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public Transformer Model { get; }

    /// <summary>The names of parameters that checkpoints leave out: as they are, they are in the model that the run began with.</summary>
    public IReadOnlySet<string> Left { get; set; } = new HashSet<string>();

    public Trainer Trainer { get; } = null!;

    /// <summary>What is trained is held near it; null where it is not.</summary>
    public Reference? Reference { get; }

    /// <summary>Null where there is nothing to validate with.</summary>
    public Evaluator? Evaluator { get; }

    /// <summary>Null where <c>geometry.enabled</c> is false.</summary>
    public GeometryRecorder? Geometry { get; }

    /// <summary>The memory of their activations, for what else does not run at the same time.</summary>
    public SharedArena Arena { get; }

    public void Dispose()
    {
        Trainer?.Dispose();
        Evaluator?.Dispose();
        Geometry?.Dispose();
        Arena.Dispose();
        if (Reference is { IsWithoutAdapters: false })
        {
            Reference.Model.Dispose();
        }

        Model.Dispose();
    }

    private GeometryProbe NewProbe(RunConfig config, LearningTask task, Arithmetic arithmetic)
    {
        ProbeShape shape = ProbeShape.Of(config.Geometry.ProbeTokens, config.Geometry.NeighborTokens, config.Model.Context, task.Places(TaskSplit.Probe));
        var probe = new GeometryProbe(Model, task, shape, config.Geometry.Measures, arithmetic, Arena);
        try
        {
            probe.Read();
            return probe;
        }
        catch
        {
            probe.Dispose();
            throw;
        }
    }
}
