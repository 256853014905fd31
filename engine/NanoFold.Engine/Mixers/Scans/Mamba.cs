using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// The selective state space of Mamba (S6, arXiv 2312.00752): x, z = W_in h, x ← silu(conv(x)), then in each of expand · C channels a state of N numbers,
/// s_t = exp(Δ_t A) s_{t−1} + Δ_t x_t B_t, u_t = C_t s_t + D x_t with Δ, B and C made of x, and y = W_out (u ⊙ silu(z)). A = −exp(A_log). The step
/// Δ = softplus(W_dt …) always has a bias; of the others the settings say it, and model.bias is not for it.
/// </summary>
public sealed record MambaConfig : MixerConfig
{
    public static MambaConfig Tiny => new() { State = 3, Conv = 3, DtRank = 2 };

    /// <summary>N, the numbers that the state of a channel has.</summary>
    [Bounds(1, 1024)]
    public int State { get; init; } = 16;

    /// <summary>K, the tokens that the convolution takes of: its own and those just before it.</summary>
    [Bounds(1, 1024)]
    public int Conv { get; init; } = 4;

    /// <summary>Channels are so many times as many as model.width.</summary>
    [Bounds(1, 64)]
    public int Expand { get; init; } = 2;

    /// <summary>The width of what the steps are made of; 0 for a sixteenth of model.width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int DtRank { get; init; }

    /// <summary>
    /// Whether Δ, B and C depend on the token. Where not, the states are those of HiPPO-LegS, which hold the history of x in Legendre polynomials
    /// (arXiv 2008.07669): A and B are fixed, each channel learns one step and one C.
    /// </summary>
    public bool Selective { get; init; } = true;

    /// <summary>What the steps are made of, B and C are each normed, RMSNorm with a gain (Jamba). Of selective states.</summary>
    public bool InnerNorm { get; init; }

    /// <summary>W_in and W_out have biases.</summary>
    public bool Bias { get; init; }

    /// <summary>The convolution has a bias.</summary>
    public bool ConvBias { get; init; } = true;

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path) => InnerNorm && !Selective
        ? [new ConfigProblem($"{path}.innerNorm", $"norms what is made of tokens, and {path}.selective = false makes nothing of them")]
        : [];

    /// <inheritdoc/>
    public override MambaConfig Resolve(ModelShape model) => this with { DtRank = DtRank > 0 ? DtRank : (model.Width + 15) / 16 };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => Selective ? new MambaMixer(builder, Resolve(builder.Model)) : new LegendreMixer(builder, this);
}

internal sealed class MambaMixer : StateSpaceMixer
{
    private readonly int _rank;
    private readonly Linear _selection;
    private readonly Parameter _stepWeight;
    private readonly Parameter _stepBias;
    private readonly Parameter _logDecay;
    private readonly Norm? _rankNorm;
    private readonly Norm? _writeNorm;
    private readonly Norm? _readNorm;

    public MambaMixer(ModuleBuilder builder, MambaConfig config)
        : base(builder.In("self_attn"), config)
    {
        _rank = config.DtRank;
        _selection = Builder.Linear("x_proj", Channels, _rank + 2 * Numbers, Initialization.Input(Channels));
        _stepWeight = Builder.Add("dt_proj.weight", Layout.Of(Channels, _rank), ParameterRole.Matrix, Initializer.Uniform(1 / Math.Sqrt(_rank)), GrowthKind.Hidden);
        _stepBias = Builder.Add("dt_proj.bias", Layout.Of(Channels), ParameterRole.Vector, Initializer.StepOfLogUniform(1e-3, 0.1));
        _logDecay = Builder.Add("A_log", Layout.Of(Channels, Numbers), ParameterRole.Vector, Initializer.LogOfIndex(Numbers));
        if (config.InnerNorm)
        {
            _rankNorm = Builder.Norm("dt_norm", _rank, NormKind.Rms);
            _writeNorm = Builder.Norm("b_norm", Numbers, NormKind.Rms, GrowthKind.None);
            _readNorm = Builder.Norm("c_norm", Numbers, NormKind.Rms, GrowthKind.None);
        }
    }

    protected override IEnumerable<TapPoint> ScanPoints =>
    [
        new("attn.hook_delta_pre", $"B T {Channels}"),
        new("attn.hook_b", $"B T {Numbers}"),
        new("attn.hook_c", $"B T {Numbers}"),
    ];

    protected override Tensor Scan(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor selected = _selection.Forward(tape, x);
        Tensor delta = Tap.At(tape, "hook_delta_pre", LinearOp.Record(tape, Part(tape, selected, 0, _rank, _rankNorm), tape.Use(_stepWeight), tape.Use(_stepBias)));
        Tensor b = Tap.At(tape, "hook_b", Part(tape, selected, _rank, Numbers, _writeNorm)), c = Tap.At(tape, "hook_c", Part(tape, selected, _rank + Numbers, Numbers, _readNorm));
        Tensor decay = tape.Use(_logDecay), skip = tape.Use(Skip);
        Tensor scanned = context.Cache is { } cache
            ? SelectiveScanOp.Decode(tape, x, delta, decay, b, c, skip, cache.Use(tape, Builder.Layer, "state"), context.Counts, context.Continues())
            : SelectiveScanOp.Record(tape, x, delta, decay, b, c, skip, context.Continues());
        ShowState(context, x, (state, counts) => SelectiveScanOp.Decode(tape, x, delta, decay, b, c, skip, state, counts, context.Continues()));
        return scanned;
    }

    private static Tensor Part(Tape tape, Tensor selected, int first, int width, Norm? norm)
    {
        Tensor part = BroadcastOp.Contiguous(tape, selected.Slice(2, first, width));
        return norm?.Forward(tape, part) ?? part;
    }
}
