using NanoFold.Engine.Autograd;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace Outside;

/// <summary>W_down · relu(W_up x − mean(W_up x)): a unit is active where it is above the mean of all.</summary>
public sealed record CenteredConfig : FeedForwardConfig
{
    /// <inheritdoc/>
    public override int DefaultHidden(int width) => 4 * width;

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder) => new Centered(builder.In("mlp"), HiddenFor(builder.Model));
}

internal sealed class Centered(ModuleBuilder builder, int hidden) : FeedForwardModule
{
    private readonly Linear _up = builder.Linear("up_proj", builder.Model.Width, hidden, Initialization.Input(builder.Model.Width));
    private readonly Linear _down = builder.Linear("down_proj", hidden, builder.Model.Width, Initialization.Output(hidden, builder.Model));

    public override IReadOnlyList<TapPoint> TapPoints => [new("mlp.hook_pre", "B T F"), new("mlp.hook_post", "B T F")];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter("mlp");
        Tensor pre = Tap.At(tape, "hook_pre", CenterOp.Record(tape, _up.Forward(tape, x)));
        return _down.Forward(tape, Tap.At(tape, "hook_post", ActivationOp<Relu>.Record(tape, pre)));
    }
}
