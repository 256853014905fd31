using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Mamba-2 (arXiv 2405.21060): heads with states S [N, P] and keys B and queries C that all heads of a group share, S ← exp(−exp(A_log) dt) S + B (dt · x)ᵀ,
/// y = Sᵀ C + D ⊙ x, dt = softplus(· + dt_bias). x, B and C come of a convolution with silu; the result is RMSNorm(y ⊙ silu(z)).
/// </summary>
public sealed record Mamba2Config : MixerConfig
{
    private const int MostHeadDim = 64;

    public static Mamba2Config Tiny => new() { State = 5, Conv = 3, SsmHeads = 4 };

    /// <summary>N, elements of B and C.</summary>
    [Bounds(1, 4096)]
    public int State { get; init; } = 64;

    /// <summary>Tokens that the convolution takes of: the own one and those just before it.</summary>
    [Bounds(1, 1024)]
    public int Conv { get; init; } = 4;

    /// <summary>Channels of x for each of model.width.</summary>
    [Bounds(1, 64)]
    public int Expand { get; init; } = 2;

    /// <summary>Channels of x; 0 for expand times model.width.</summary>
    [Bounds(0, 1 << 22, Auto = true)]
    public int Channels { get; init; }

    /// <summary>Heads that the channels are split into; 0 for as few as have at most 64 channels each.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int SsmHeads { get; init; }

    /// <summary>Groups of heads that share B and C, a divisor of the heads; head h belongs to group h / (heads / groups).</summary>
    [Bounds(1, 1 << 16)]
    public int Groups { get; init; } = 1;

    /// <summary>The shortest step dt; what is less becomes it.</summary>
    [Bounds(0)]
    public double StepMin { get; init; }

    /// <summary>The longest step dt; what is more becomes it; 0 for steps of any length.</summary>
    [Bounds(0)]
    public double StepMax { get; init; }

    /// <summary>The convolution has a bias.</summary>
    public bool ConvBias { get; init; } = true;

    /// <summary>Over which channels the norm of the result runs.</summary>
    public ChannelNormSpan NormOver { get; init; } = ChannelNormSpan.All;

    /// <summary>The result is gated and then normed, RMSNorm(y ⊙ silu(z)); if false, normed and then gated, RMSNorm(y) ⊙ silu(z).</summary>
    public bool GateFirst { get; init; } = true;

    /// <summary>Factors on what the input matrix gives of z, x, B, C and dt (Falcon-H1).</summary>
    public Mamba2Scales Scales { get; init; } = new();

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override Mamba2Config Resolve(ModelShape model) => this with { SsmHeads = HeadsFor(model), Channels = ChannelsFor(model) };

    /// <inheritdoc/>
    /// <remarks>12 · N for each channel: what a token writes to the states and reads of them.</remarks>
    public override long PairFlopsPerToken(ModelShape model) => 12L * State * ChannelsFor(model);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        if (ChannelsFor(model) % HeadsFor(model) != 0)
        {
            yield return new ConfigProblem($"{path}.ssmHeads", $"{SsmHeads} does not divide the {ChannelsFor(model)} channels, {(Channels > 0 ? $"{path}.channels" : $"{path}.expand times the model's width")}");
        }
        else if (HeadsFor(model) % Groups != 0)
        {
            yield return new ConfigProblem($"{path}.groups", $"{Groups} does not divide the {HeadsFor(model)} heads");
        }

        if (StepMax > 0 && StepMin > StepMax)
        {
            yield return new ConfigProblem($"{path}.stepMin", FormattableString.Invariant($"{StepMin} is more than {path}.stepMax = {StepMax}"));
        }
    }

    /// <summary>The channels in a model.</summary>
    public int ChannelsFor(ModelShape model) => Channels > 0 ? Channels : checked(Expand * model.Width);

    /// <summary>Heads of a model.</summary>
    public int HeadsFor(ModelShape model)
    {
        int channels = ChannelsFor(model);
        return SsmHeads > 0 ? SsmHeads : Enumerable.Range((channels + MostHeadDim - 1) / MostHeadDim, channels).First(heads => channels % heads == 0);
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Mamba2(builder, this);
}

internal sealed class Mamba2 : Mixer
{
    private readonly Linear _input;
    private readonly Table? _scales;
    private readonly ShortConvolution _convolution;
    private readonly StepDecay _decay;
    private readonly Parameter _skip;
    private readonly HeadRecurrence _recurrence;
    private readonly GatedNorm _norm;
    private readonly Linear _output;
    private readonly int _channels;
    private readonly int _groups;
    private readonly int _shared;
    private readonly int _heads;

    public Mamba2(ModuleBuilder builder, Mamba2Config config)
    {
        ModelShape model = builder.Model;
        (_channels, _groups, _heads) = (config.ChannelsFor(model), config.Groups, config.HeadsFor(model));
        _shared = checked(_groups * config.State);
        builder = builder.In("self_attn");
        // Rows: z, x, B, C, dt.
        _input = builder.Linear("in_proj", model.Width, checked(2 * _channels + 2 * _shared + _heads), Initialization.Input(model.Width), model.Bias);
        _scales = config.Scales.OfRows(builder, _channels, _shared, _heads);
        _convolution = new ShortConvolution(builder, "conv1d", checked(_channels + 2 * _shared), config.Conv, config.ConvBias);
        _decay = new StepDecay(builder, _heads, leastRate: 1, config.StepMin, config.StepMax);
        _skip = builder.Add("D", Layout.Of(_heads), ParameterRole.Vector, Initializer.One);
        _norm = new GatedNorm(builder, _channels, config);
        _output = builder.Linear("out_proj", _channels, model.Width, Initialization.Output(_channels, model), model.Bias);
        _recurrence = new HeadRecurrence(builder, _heads, config.State, _channels / _heads, scale: 1);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_q", $"B T {_groups} {_shared / _groups}"),
        new("attn.hook_k", $"B T {_groups} {_shared / _groups}"),
        new("attn.hook_v", $"B T {_heads} {_channels / _heads}"),
        .. StepDecay.Points($"{_heads}"),
        _recurrence.Point,
        TapPoint.Gate<Silu>("attn.hook_gate_pre", $"B T {_channels}"),
        new("attn.hook_z", $"B T {_channels}"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor projected = Scaled(tape, _input.Forward(tape, x));
        Tensor convolved = _convolution.Forward(context, projected.Slice(2, _channels, _channels + 2 * _shared));
        Tensor v = Tap.At(tape, "hook_v", convolved.Slice(2, 0, _channels).SplitLast(_heads));
        Tensor k = Tap.At(tape, "hook_k", convolved.Slice(2, _channels, _shared).SplitLast(_groups));
        Tensor q = Tap.At(tape, "hook_q", convolved.Slice(2, _channels + _shared, _shared).SplitLast(_groups));
        Tensor step = _decay.Step(tape, projected.Slice(2, 2 * _channels + 2 * _shared, _heads));
        Tensor y = _recurrence.Run(context, q, k, MultiplyOp.Record(tape, v, step.SplitLast(_heads)), _decay.Decay(tape, step));
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor skip = BroadcastOp.Record(tape, tape.Use(_skip).Reshape(1, 1, _heads, 1), 1, 1, _heads, 1);
        y = AddOp.Record(tape, y, MultiplyOp.Record(tape, v, skip)).Reshape(x[0], x[1], _channels);
        Tensor gate = Tap.At(tape, "hook_gate_pre", projected.Slice(2, 0, _channels));
        return _output.Forward(tape, Tap.At(tape, "hook_z", _norm.Forward(tape, y, gate)));
    }

    // A copy first: tables stay in single precision where activations have 16 bits.
    private Tensor Scaled(Tape tape, Tensor projected) => _scales is null
        ? projected
        : MultiplyOp.Record(tape, projected, BroadcastOp.Record(tape, tape.Use(_scales), 1, 1, _scales.View.Layout[2]));

    public override IEnumerable<StateSlot> State(int batch, int chunk) => [_recurrence.State(batch), .. _convolution.State(batch)];
}
