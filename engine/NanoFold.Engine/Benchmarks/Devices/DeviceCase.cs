using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks.Devices;

/// <summary>A small model that a device trains beside the CPU: two layers of width 128 on rows of 64 random tokens, whose kernels are those of larger ones.</summary>
/// <param name="Name">A precision, or what else is not as in the default model.</param>
/// <param name="Config">Resolved, its vocabulary known.</param>
public sealed record DeviceCase(string Name, RunConfig Config)
{
    private const int Vocab = 512;

    // Two micro-batches a step: gradients of the first are begun, those of the second added. Warm-up would hide what an update does.
    private static readonly RunConfig s_basis = new()
    {
        Model = new ModelConfig { Layers = 2, Heads = 2, Width = 128, Context = 64, Vocab = Vocab, Initialization = InitializationKind.Scaled },
        Train = new TrainConfig { Steps = DeviceCheck.Steps, Batch = 4, Accumulate = 2, Warmup = 0, Schedule = ScheduleKind.Constant },
    };

    /// <summary>The default model in every precision.</summary>
    public static IReadOnlyList<DeviceCase> Precisions { get; } = [.. Enum.GetValues<PrecisionKind>().Select(Of)];

    /// <summary>Every kind of mixer, feed-forward, residual connection and optimizer with its defaults, in single precision.</summary>
    public static IReadOnlyList<DeviceCase> Kinds =>
    [
        .. Each<MixerConfig>("mixer", (config, kind) => config with { Model = config.Model with { Mixer = kind } }),
        .. Each<FeedForwardConfig>("feedForward", (config, kind) => config with { Model = config.Model with { FeedForward = kind } }),
        .. Each<ResidualConfig>("residual", (config, kind) => config with { Model = config.Model with { Residual = kind } }),
        .. Each<OptimizerConfig>("optimizer", (config, kind) => config with { Train = config.Train with { Optimizer = kind } }),
    ];

    /// <summary>The default model in one precision.</summary>
    public static DeviceCase Of(PrecisionKind precision) => Of(precision.Name(), s_basis with { Train = s_basis.Train with { Precision = precision } });

    /// <summary>What losses may differ by, in nats; each of these bounds is at least four times what was measured on OpenCL and on the CPU.</summary>
    public double LossTolerance => Of(fp32: 2e-4, tf32: 5e-3, bf16: 0.03, fp16: 5e-3);

    /// <summary>What the gradient of a parameter may differ by, relative to its length.</summary>
    public double GradientTolerance => Of(fp32: 2e-4, tf32: 0.02, bf16: 0.1, fp16: 0.02);

    /// <summary>Why a device cannot do it, or null.</summary>
    public string? WhyNot(Backend device) => PrecisionCheck.WhyNot(Config.Train.Precision, device);

    private double Of(double fp32, double tf32, double bf16, double fp16) => Config.Train.Precision switch
    {
        PrecisionKind.TensorFloat32 => tf32,
        PrecisionKind.BFloat16 => bf16,
        PrecisionKind.Float16 => fp16,
        _ => fp32,
    };

    private static DeviceCase Of(string name, RunConfig config) => new(name, config.Resolve());

    // By AdamW: Muon gives all directions of a gradient one size, those of nothing but rounding too, and so losses part.
    private static IEnumerable<DeviceCase> Each<TPart>(string setting, Func<RunConfig, TPart, RunConfig> with)
        => Variant.Of<TPart>().Select(kind => Of($"{setting}={kind.Kind}", with(s_basis with { Train = s_basis.Train with { Optimizer = new AdamWConfig() } }, (TPart)Activator.CreateInstance(kind.Type)!)));
}
