using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
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
    /// <param name="dataset">What is trained on.</param>
    /// <param name="backend">Where it is computed.</param>
    /// <param name="folder">Where measurements are written, or null.</param>
    /// <param name="drawsParameters">False where all parameters are read from a file next.</param>
    public RunParts(RunConfig config, TokenDataset dataset, Backend backend, RunFolder? folder, bool drawsParameters)
    {
        TrainConfig train = config.Planned();
        var batches = new BatchSource(dataset.Train, dataset.Name, train.Batch, config.Model.Context, (ulong)train.Seed, config.Data.Draws);
        Model = new Transformer(config.Model, backend, drawsParameters ? (ulong)train.Seed : null);
        Arena = new SharedArena(backend);
        try
        {
            Trainer = new Trainer(Model, train, batches, config.Data.MaskDocuments, Arena);
            long arena = Trainer.ArenaBytes;
            DType type = train.Precision.Activations();
            if (dataset.Validation.Tokens > 1)
            {
                Evaluator = NewEvaluator(config, train, dataset, type);
                arena = Math.Max(arena, Evaluator.ArenaBytes);
            }

            if (config.Geometry.Enabled)
            {
                GeometryProbe probe = NewProbe(config, dataset, type);
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

    public Trainer Trainer { get; } = null!;

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
        Model.Dispose();
    }

    private Evaluator NewEvaluator(RunConfig config, TrainConfig train, TokenDataset dataset, DType type)
    {
        int context = config.Model.Context, rows = EvaluationSource.RowsFor(context);
        var all = new EvaluationSource(dataset.Validation, dataset.Name, rows, context);
        var part = new EvaluationSource(dataset.Validation, dataset.Name, rows, context, train.EvaluationWindows ?? EvaluationShare.Windows(train, context));
        return new Evaluator(Model, all, part, dataset.Tokenizer.ByteLengths, config.Data.MaskDocuments, type, Arena);
    }

    private GeometryProbe NewProbe(RunConfig config, TokenDataset dataset, DType type)
    {
        TokenShard text = dataset.Validation.Tokens > 1 ? dataset.Validation : dataset.Train;
        ProbeShape shape = ProbeShape.Of(config.Geometry.ProbeTokens, config.Geometry.NeighborTokens, config.Model.Context, text.Tokens);
        var probe = new GeometryProbe(Model, shape, config.Geometry.Measures, config.Data.MaskDocuments, type, Arena);
        try
        {
            probe.Read(text, dataset.Name);
            return probe;
        }
        catch
        {
            probe.Dispose();
            throw;
        }
    }
}
