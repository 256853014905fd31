using NanoFold.Engine.Autograd;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// The channel mixing of RWKV-4 (arXiv 2305.13048): σ(W_gate x_r) ⊙ W_down relu(W_up x_k)², where x_r and x_k are each token's input mixed with that of the token before
/// it, by shares of each channel.
/// </summary>
public sealed record ChannelMixConfig : FeedForwardConfig
{
    public static ChannelMixConfig Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override bool Shifts => true;

    /// <inheritdoc/>
    /// <remarks>4 · C.</remarks>
    public override int DefaultHidden(int width) => 4 * width;

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder) => new ChannelMix(builder.In("mlp"), HiddenFor(builder.Model));
}

internal sealed class ChannelMix : FeedForwardModule
{
    private readonly TokenShift _shift;
    private readonly Parameter _upShares;
    private readonly Parameter _gateShares;
    private readonly Linear _up;
    private readonly Linear _gate;
    private readonly Linear _down;

    public ChannelMix(ModuleBuilder builder, int hidden)
    {
        ModelShape model = builder.Model;
        bool bias = model.FeedForwardBias ?? model.Bias;
        double rest = 1 - ((double)builder.Layer / model.Layers);
        _shift = new TokenShift(builder, "mlp.shift");
        _upShares = _shift.Shares("mix_k", rest);
        _gateShares = _shift.Shares("mix_r", rest);
        _up = builder.Linear("up_proj", model.Width, hidden, Initialization.Input(model.Width), bias);
        _gate = builder.Linear("gate_proj", model.Width, model.Width, Initialization.Input(model.Width), bias);
        _down = builder.Linear("down_proj", hidden, model.Width, Initialization.Output(hidden, model), bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints => [new("mlp.hook_pre", "B T F"), new("mlp.hook_post", "B T F"), new("mlp.hook_gate_pre", "B T C")];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("mlp");
        Tensor before = _shift.Before(context, x);
        Tensor pre = Tap.At(tape, "hook_pre", _up.Forward(tape, _shift.Mix(tape, x, before, _upShares)));
        Tensor made = _down.Forward(tape, Tap.At(tape, "hook_post", ActivationOp<SquaredRelu>.Record(tape, pre)));
        Tensor gate = Tap.At(tape, "hook_gate_pre", _gate.Forward(tape, _shift.Mix(tape, x, before, _gateShares)));
        return GatedActivationOp<Sigmoid>.Record(tape, gate, made);
    }

    public override IEnumerable<StateSlot> State(int batch, int chunk) => [_shift.State(batch)];
}
