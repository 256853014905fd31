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
/// s_t = exp(Δ_t A) s_{t−1} + Δ_t x_t B_t, u_t = C_t s_t + D x_t with Δ, B and C made of x, and y = W_out (u ⊙ silu(z)). A = −exp(A_log). The convolution and
/// the step Δ = softplus(W_dt …) always have biases.
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

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override MambaConfig Resolve(ModelShape model) => this with { DtRank = DtRank > 0 ? DtRank : (model.Width + 15) / 16 };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new MambaMixer(builder, Resolve(builder.Model));
}

internal sealed class MambaMixer : Mixer
{
    private readonly ModuleBuilder _builder;
    private readonly MambaConfig _config;
    private readonly int _channels;
    private readonly Parameter _input;
    private readonly ShortConvolution _convolution;
    private readonly Linear _selection;
    private readonly Parameter _stepWeight;
    private readonly Parameter _stepBias;
    private readonly Parameter _logDecay;
    private readonly Parameter _skip;
    private readonly Linear _output;

    public MambaMixer(ModuleBuilder builder, MambaConfig config)
    {
        _builder = builder = builder.In("self_attn");
        _config = config;
        ModelShape model = builder.Model;
        _channels = config.Expand * model.Width;
        _input = builder.Add("in_proj.weight", Layout.Of(2 * _channels, model.Width), ParameterRole.Matrix, Initialization.Input(model.Width));
        _convolution = new ShortConvolution(builder, "conv1d", _channels, config.Conv, bias: true);
        _selection = new Linear(builder, "x_proj", _channels, config.DtRank + 2 * config.State, Initialization.Input(_channels));
        _stepWeight = builder.Add("dt_proj.weight", Layout.Of(_channels, config.DtRank), ParameterRole.Matrix, Initializer.Uniform(1 / Math.Sqrt(config.DtRank)));
        _stepBias = builder.Add("dt_proj.bias", Layout.Of(_channels), ParameterRole.Vector, Initializer.StepOfLogUniform(1e-3, 0.1));
        _logDecay = builder.Add("A_log", Layout.Of(_channels, config.State), ParameterRole.Vector, Initializer.LogOfIndex(config.State));
        _skip = builder.Add("D", Layout.Of(_channels), ParameterRole.Vector, Initializer.One);
        _output = new Linear(builder, "out_proj", _channels, model.Width, Initialization.Output(_channels, model));
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_x", $"B T {_channels}"),
        new("attn.hook_delta_pre", $"B T {_channels}"),
        new("attn.hook_b", $"B T {_config.State}"),
        new("attn.hook_c", $"B T {_config.State}"),
        new("attn.hook_scan", $"B T {_channels}"),
        new("attn.hook_gate_pre", $"B T {_channels}"),
        new("attn.hook_z", $"B T {_channels}"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor h)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor x = Tap.At(tape, "hook_x", _convolution.Forward(context, Half(tape, h, 0)));
        Tensor selected = _selection.Forward(tape, x);
        Tensor delta = Tap.At(tape, "hook_delta_pre", LinearOp.Record(tape, Part(tape, selected, 0, _config.DtRank), tape.Use(_stepWeight), tape.Use(_stepBias)));
        Tensor b = Tap.At(tape, "hook_b", Part(tape, selected, _config.DtRank, _config.State));
        Tensor c = Tap.At(tape, "hook_c", Part(tape, selected, _config.DtRank + _config.State, _config.State));
        Tensor decay = tape.Use(_logDecay), skip = tape.Use(_skip);
        Tensor scanned = Tap.At(tape, "hook_scan", context.Cache is { } cache
            ? SelectiveScanOp.Decode(tape, x, delta, decay, b, c, skip, cache.Use(tape, _builder.Layer, "state"), context.Counts, context.Continues())
            : SelectiveScanOp.Record(tape, x, delta, decay, b, c, skip, context.Continues()));
        Tensor gate = Tap.At(tape, "hook_gate_pre", Half(tape, h, 1));
        return _output.Forward(tape, Tap.At(tape, "hook_z", GatedActivationOp<Silu>.Record(tape, gate, scanned)));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
    [
        .. _convolution.State(batch),
        new StateSlot("state", Layout.Of(batch, _config.State, _channels), _builder.Type.Sum(), StateStart.Zero),
    ];

    private static Tensor Part(Tape tape, Tensor selected, int first, int width) => BroadcastOp.Contiguous(tape, selected.Slice(2, first, width));

    // The rows of in_proj are those of x, then those of z.
    private Tensor Half(Tape tape, Tensor h, int half) => LinearOp.Record(tape, h, tape.Use(_input).Slice(0, half * _channels, _channels));
}
