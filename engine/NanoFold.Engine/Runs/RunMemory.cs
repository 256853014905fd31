using NanoFold.Engine.Generation;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Null;

namespace NanoFold.Engine.Runs;

/// <summary>
/// Memory of a whole run, known before anything is allocated: of training, and of evaluating, measuring and sampling beside it, which share an arena with
/// training because they never run at the same time.
/// </summary>
/// <param name="Step">Of training alone.</param>
/// <param name="ArenaBytes">The shared arena: as large as the largest of the four needs.</param>
/// <param name="InputBytes">Batches of training, evaluating and measuring, tables of positions, what sampling remembers.</param>
/// <param name="SampleBytes">Of the host: what the probe of the geometry reads, and what measuring it takes.</param>
/// <param name="BatchBytes">Of the host: batches before they are uploaded.</param>
public sealed record RunMemory(MemoryPlan Step, long ArenaBytes, long InputBytes, long SampleBytes, long BatchBytes)
{
    /// <summary>
    /// What a process takes besides: runtime, compiled code, tokens and the managed heap. Measured on Linux with two threads; it hardly depends on the model.
    /// </summary>
    public const long ProcessBytes = 100_000_000;

    // Of the objects that hold a micro-batch.
    private const long BatchOverhead = 512;

    /// <summary>All that a run allocates on the device.</summary>
    public long DeviceBytes => Step.PeakBytes - Step.ArenaBytes - Step.InputBytes + ArenaBytes + InputBytes;

    /// <summary>All that a run allocates.</summary>
    public long PeakBytes => DeviceBytes + SampleBytes;

    /// <summary>What the system is going to see, where the host computes.</summary>
    public long ResidentBytes => PeakBytes + HostBytes - SampleBytes;

    /// <summary>What is taken of the host in any case, wherever is computed.</summary>
    public long HostBytes => SampleBytes + BatchBytes + ProcessBytes;

    /// <param name="config">Resolved, its vocabulary known; a batch of 0 counts as 1.</param>
    /// <param name="like">The backend that will run, as in <see cref="MemoryPlan.Of"/>.</param>
    public static RunMemory Of(RunConfig config, Backend like)
    {
        MemoryPlan step = MemoryPlan.Of(config, like);
        DType type = config.Train.Precision.Arithmetic(like).Type;
        using LearningTask task = TrainData.Sketch(config);
        using var backend = new NullBackend(like.Supports(type) ? like : null);
        using var model = new Transformer(config.Model, backend);
        if (type.Is16Bit())
        {
            model.Store.Shadow(type);
        }

        (long arena, long inputs) = MemoryCheck.Counted(
            "model.context", "a smaller --context or model", () => Evaluator.Needs(model, task, BatchShape.ToEvaluate(config.Model.Context), type));
        long samples = 0;
        if (config.Geometry is { Enabled: true, Measures.Count: > 0 })
        {
            ProbeShape shape = ProbeShape.Of(config.Geometry.ProbeTokens, config.Geometry.NeighborTokens, config.Model.Context);
            using GeometryProbe probe = MemoryCheck.Counted(
                "geometry.probeTokens", "a smaller one or geometry.enabled=false", () => new GeometryProbe(model, task, shape, config.Geometry.Measures, type));
            (arena, inputs, samples) = (Math.Max(arena, probe.ArenaBytes), inputs + probe.InputBytes, probe.SampleBytes);
        }

        if (config.Train.SampleEvery > 0)
        {
            using var decoder = new Decoder(model, 1);
            (long decoding, long remembered) = decoder.Needs();
            (arena, inputs) = (Math.Max(arena, decoding), inputs + remembered);
        }

        long batches = config.Train.Accumulate * (BatchOverhead + BatchRows.Bytes(task.Inputs(config.Model.Context), Math.Max(1, config.Train.Batch)));
        return new RunMemory(step, Math.Max(step.ArenaBytes, arena), step.InputBytes + inputs, samples, batches);
    }
}
