using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// The time mixing of RWKV-4 (arXiv 2305.13048): k, v and r are made of each token's input mixed with that of the token before it, by shares of each channel; then
/// y = W_o (σ(r) ⊙ wkv) with the weighted mean wkv_t = (N + e^(u + k) v) / (D + e^(u + k)), N ← w N + eᵏ v, D ← w D + eᵏ, w = e^(−e^decay), for each channel by itself.
/// </summary>
public sealed record Rwkv4Config : MixerConfig
{
    public static Rwkv4Config Tiny => new();

    /// <summary>N, the channels that are mixed; 0 for model.width.</summary>
    [Bounds(0, 1 << 16, Auto = true)]
    public int State { get; init; }

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { SlidesOn = true };

    /// <inheritdoc/>
    public override Rwkv4Config Resolve(ModelShape model) => this with { State = State > 0 ? State : model.Width };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => new Rwkv4(builder.In("self_attn"), Resolve(builder.Model).State);
}

internal sealed class Rwkv4 : Mixer
{
    private readonly ModuleBuilder _builder;
    private readonly TokenShift _shift;
    private readonly Parameter _keyShares;
    private readonly Parameter _valueShares;
    private readonly Parameter _gateShares;
    private readonly Linear _key;
    private readonly Linear _value;
    private readonly Linear _gate;
    private readonly Parameter _decay;
    private readonly Parameter _bonus;
    private readonly Linear _output;
    private readonly int _width;

    public Rwkv4(ModuleBuilder builder, int width)
    {
        ModelShape model = builder.Model;
        (_builder, _width, _shift) = (builder, width, new TokenShift(builder, "shift"));
        // As the authors begin: shares and decays that differ from channel to channel and from layer to layer.
        double depth = builder.Layer / Math.Max(1.0, model.Layers - 1), rest = 1 - ((double)builder.Layer / model.Layers);
        _keyShares = _shift.Shares("mix_k", rest);
        _valueShares = _shift.Shares("mix_v", rest, 0.3 * depth);
        _gateShares = _shift.Shares("mix_r", rest / 2);
        _key = builder.Linear("k_proj", model.Width, width, Initialization.Input(model.Width), model.Bias);
        _value = builder.Linear("v_proj", model.Width, width, Initialization.Input(model.Width), model.Bias);
        _gate = builder.Linear("r_proj", model.Width, width, Initialization.Input(model.Width), model.Bias);
        _decay = builder.Add("decay", Layout.Of(width), ParameterRole.Vector, Initializer.Values(
            [.. Enumerable.Range(0, width).Select(i => -5 + (i == 0 ? 0 : 8 * PortableMath.Pow((double)i / (width - 1), 0.7 + (1.3 * depth))))]));
        _bonus = builder.Add("bonus", Layout.Of(width), ParameterRole.Vector, Initializer.Values(
            [.. Enumerable.Range(0, width).Select(i => PortableMath.Log(0.3) + ((((i + 1) % 3) - 1) / 2.0))]));
        _output = builder.Linear("o_proj", width, model.Width, Initialization.Output(width, model), model.Bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints =>
    [
        new("attn.hook_k", $"B T {_width}"),
        new("attn.hook_v", $"B T {_width}"),
        new("attn.hook_wkv", $"B T {_width}"),
        TapPoint.Gate<Sigmoid>("attn.hook_gate_pre", $"B T {_width}"),
        new("attn.hook_z", $"B T {_width}"),
    ];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("attn");
        Tensor before = _shift.Before(context, x);
        Tensor k = Tap.At(tape, "hook_k", _key.Forward(tape, _shift.Mix(tape, x, before, _keyShares)));
        Tensor v = Tap.At(tape, "hook_v", _value.Forward(tape, _shift.Mix(tape, x, before, _valueShares)));
        // Copies first: parameters stay in single precision where activations have 16 bits.
        Tensor decay = BroadcastOp.Record(tape, tape.Use(_decay), _width), bonus = BroadcastOp.Record(tape, tape.Use(_bonus), _width);
        Tensor mixed = Tap.At(tape, "hook_wkv", context.Cache is { } cache
            ? WkvOp.Decode(tape, k, v, decay, bonus, cache.Use(tape, _builder.Layer, "state"), context.Counts, context.Continues())
            : WkvOp.Record(tape, k, v, decay, bonus, context.Continues()));
        Tensor gate = Tap.At(tape, "hook_gate_pre", _gate.Forward(tape, _shift.Mix(tape, x, before, _gateShares)));
        return _output.Forward(tape, Tap.At(tape, "hook_z", GatedActivationOp<Sigmoid>.Record(tape, gate, mixed)));
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) =>
        [_shift.State(batch), new StateSlot("state", Layout.Of(batch, WkvCall.Numbers, _width), _builder.Type.Sum(), StateStart.Zero)];
}
