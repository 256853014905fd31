using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Measurement;
using NanoFold.Engine.Model;
using NanoFold.Engine.Profiling;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Bench.OnGpu;

/// <summary>What is measured: models that people train, or tiny ones, which only show that every part runs.</summary>
internal sealed class GpuShapes
{
    // GPT-2's vocabulary, padded as is usual.
    private const int Vocab = 50304;

    private readonly bool _isTiny;

    private GpuShapes(bool isTiny) => _isTiny = isTiny;

    public static GpuShapes Real { get; } = new(isTiny: false);

    public static GpuShapes Tiny { get; } = new(isTiny: true);

    public IReadOnlyList<(string Preset, int Batch, int Vocab)> Steps => _isTiny ? [("nano", 1, 16)] : [("nano", 12, 256), ("small", 64, 256), ("gpt2", 16, Vocab)];

    public IReadOnlyList<AttentionCase> Attention => _isTiny
        ? [new(8, 2, 2, 16, 1)]
        : [new(1024, 12, 12, 64, 16), new(256, 6, 6, 64, 64), new(4096, 12, 12, 64, 4), new(1024, 12, 12, 128, 8)];

    /// <summary>Both passes that are to give the same bits each time, and how often.</summary>
    public (IReadOnlyList<AttentionCase> Cases, int Times) Repeats => _isTiny ? (Attention, 2) : ([new(700, 8, 4, 64, 2), new(500, 4, 4, 128, 2), new(500, 8, 8, 32, 2)], 1000);

    /// <summary>A cube, and the products of the largest model's step.</summary>
    public IReadOnlyList<GemmCase> Products => _isTiny ? [new("cube", 16, 16, 16, false, true)] : [new("cube", 4096, 4096, 4096, false, true), .. Of(Steps[^1])];

    /// <summary>Those of all steps, of the largest model first: it matters most where time is short.</summary>
    public IReadOnlyList<GemmCase> Tuned => [.. Steps.Reverse().SelectMany(Of)];

    public int TimedSteps => _isTiny ? 1 : 20;

    /// <summary>0: as many as fit.</summary>
    public int ProfiledSteps => _isTiny ? 1 : 0;

    public RunConfig Curve => _isTiny ? Config(("nano", 1, 16), PrecisionKind.Float32) : Config(("small", 8, 256), PrecisionKind.Float32);

    public int CurveSteps(int asked) => _isTiny ? 2 : asked;

    public Roofline Roofline(Backend backend, PrecisionKind precision)
        => _isTiny ? new Roofline(1e9, 1e9) : Engine.Profiling.Roofline.Measure(backend, precision.Arithmetic(backend));

    public RunConfig Config((string Preset, int Batch, int Vocab) step, PrecisionKind precision)
    {
        // AdamW, as the peer has it.
        ConfigTree tree = new ConfigTree(step.Preset)
            .Set("tokenizer=byte").Set("train.optimizer=adamw").Set($"train.batch={step.Batch}").Set("train.accumulate=1").Set($"train.precision={precision.Name()}");
        if (_isTiny)
        {
            tree = tree.Set("model.width=16").Set("model.heads=2").Set("model.layers=1").Set("model.context=4");
        }

        RunConfig config = tree.Build();
        return config with { Model = config.Model with { Vocab = step.Vocab } };
    }

    private static IEnumerable<GemmCase> Of((string Preset, int Batch, int Vocab) step)
    {
        ModelConfig model = Presets.Of(step.Preset).Resolve().Model with { Vocab = step.Vocab };
        return GemmCases.Of(model, step.Batch * model.Context);
    }
}
