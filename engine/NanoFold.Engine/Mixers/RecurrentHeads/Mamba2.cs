using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// Mamba-2 (arXiv 2405.21060): heads with states S [N, P] and keys B and queries C that all heads share, S ← exp(−exp(A_log) dt) S + B (dt · x)ᵀ, y = Sᵀ C + D ⊙ x,
/// dt = softplus(· + dt_bias). x, B and C come of a convolution with silu; the result is RMSNorm(y ⊙ silu(z)).
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

    /// <summary>Heads that the channels are split into; 0 for as few as have at most 64 channels each.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int SsmHeads { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override Mamba2Config Resolve(ModelShape model) => this with { SsmHeads = HeadsFor(model) };

    /// <inheritdoc/>
    /// <remarks>12 · N for each channel: what a token writes to the states and reads of them.</remarks>
    public override long PairFlopsPerToken(ModelShape model) => 12L * State * Channels(model);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelShape model, string path)
    {
        if (Channels(model) % HeadsFor(model) != 0)
        {
            yield return new ConfigProblem($"{path}.ssmHeads", $"{SsmHeads} does not divide the {Channels(model)} channels, {path}.expand times the model's width");
        }
    }

    /// <summary>expand · C.</summary>
    public int Channels(ModelShape model) => checked(Expand * model.Width);

    /// <summary>Heads of a model.</summary>
    public int HeadsFor(ModelShape model)
    {
        int channels = Channels(model);
        return SsmHeads > 0 ? SsmHeads : Enumerable.Range((channels + MostHeadDim - 1) / MostHeadDim, channels).First(heads => channels % heads == 0);
    }

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Mamba2(builder, this);
}

internal sealed class Mamba2 : Mixer
{
    private readonly Linear _input;
    private readonly ShortConvolution _convolution;
    private readonly StepDecay _decay;
    private readonly Parameter _skip;
    private readonly HeadRecurrence _recurrence;
    private readonly Norm _norm;
    private readonly Linear _output;
    private readonly int _channels;
    private readonly int _state;
    private readonly int _heads;

    public Mamba2(ModuleBuilder builder, Mamba2Config config)
    {
        ModelShape model = builder.Model;
        (_channels, _state, _heads) = (config.Channels(model), config.State, config.HeadsFor(model));
        builder = builder.In("self_attn");
        // Rows: z, x, B, C, dt.
        _input = builder.Linear("in_proj", model.Width, checked(2 * _channels + 2 * _state + _heads), Initialization.Input(model.Width), model.Bias);
        _convolution = new ShortConvolution(builder, "conv1d", _channels + 2 * _state, config.Conv, bias: true);
        _decay = new StepDecay(builder, _heads, leastRate: 1);
        _skip = builder.Add("D", Layout.Of(_heads), ParameterRole.Vector, Initializer.One);
        _norm = builder.Norm("norm", _channels, NormKind.Rms);
        _output = builder.Linear("out_proj", _channels, model.Width, Initialization.Output(_channels, model), model.Bias);
        _recurrence = new HeadRecurrence(builder, _heads, _state, _channels / _heads, scale: 1);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_q", $"B T 1 {_state}"),
        new("attn.hook_k", $"B T 1 {_state}"),
        new("attn.hook_v", $"B T {_heads} {_channels / _heads}"),
        .. StepDecay.Points($"{_heads}"),
        _recurrence.Point,
        new("attn.hook_gate_pre", $"B T {_channels}"),
        new("attn.hook_z", $"B T {_channels}"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor projected = _input.Forward(tape, x);
        Tensor convolved = _convolution.Forward(context, projected.Slice(2, _channels, _channels + 2 * _state));
        Tensor v = Tap.At(tape, "hook_v", convolved.Slice(2, 0, _channels).SplitLast(_heads));
        Tensor k = Tap.At(tape, "hook_k", convolved.Slice(2, _channels, _state).SplitLast(1));
        Tensor q = Tap.At(tape, "hook_q", convolved.Slice(2, _channels + _state, _state).SplitLast(1));
        Tensor step = _decay.Step(tape, projected.Slice(2, 2 * _channels + 2 * _state, _heads));
        Tensor y = _recurrence.Run(context, q, k, MultiplyOp.Record(tape, v, step.SplitLast(_heads)), _decay.Decay(tape, step));
        // A copy first: parameters stay in single precision where activations have 16 bits.
        Tensor skip = BroadcastOp.Record(tape, tape.Use(_skip).Reshape(1, 1, _heads, 1), 1, 1, _heads, 1);
        y = AddOp.Record(tape, y, MultiplyOp.Record(tape, v, skip)).Reshape(x[0], x[1], _channels);
        Tensor gate = Tap.At(tape, "hook_gate_pre", projected.Slice(2, 0, _channels));
        return _output.Forward(tape, Tap.At(tape, "hook_z", _norm.Forward(tape, GatedActivationOp<Silu>.Record(tape, gate, y))));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) => [_recurrence.State(batch), .. _convolution.State(batch)];
}
