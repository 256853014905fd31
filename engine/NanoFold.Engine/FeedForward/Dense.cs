using NanoFold.Engine.Autograd;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.FeedForward;

/// <summary>down(f(up x)), or down(f(gate x) ⊙ up x) for gated kinds. up and gate [F, C], down [C, F].</summary>
public sealed class Dense : FeedForwardModule
{
    private readonly DenseConfig _kind;
    private readonly Linear? _gate;
    private readonly Linear _up;
    private readonly Linear _down;
    private readonly string _scope;
    private readonly string _shape;

    /// <param name="builder">Where the parameters are declared.</param>
    /// <param name="hidden">F.</param>
    /// <param name="kind">What lies between the matrices.</param>
    /// <param name="scope">Where its points are, from the block.</param>
    /// <param name="isPart">It is part of a feed-forward that has another width: shapes of points say its own as a number.</param>
    public Dense(ModuleBuilder builder, int hidden, DenseConfig kind, string scope = "mlp", bool isPart = false)
    {
        _scope = scope;
        _shape = isPart ? $"B T {hidden}" : "B T F";
        ModelShape model = builder.Model;
        _kind = kind;
        bool bias = model.FeedForwardBias ?? model.Bias;
        _gate = kind.IsGated ? builder.Linear("gate_proj", model.Width, hidden, Initialization.Input(model.Width), bias) : null;
        _up = builder.Linear("up_proj", model.Width, hidden, Initialization.Input(model.Width), bias);
        _down = builder.Linear("down_proj", hidden, model.Width, Initialization.Output(hidden, model), bias);
    }

    public override IReadOnlyList<TapPoint> TapPoints => _gate is null
        ? [new($"{_scope}.hook_pre", _shape), new($"{_scope}.hook_post", _shape)]
        : [new($"{_scope}.hook_pre", _shape), new($"{_scope}.hook_pre_linear", _shape), new($"{_scope}.hook_post", _shape)];

    public override Tensor Forward(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        using Tape.Scope scope = tape.Enter(_scope);
        Tensor[] made = _gate is null ? [_up.Forward(tape, x)] : JoinedLinear.Forward(context, x, _gate, _up);
        Tensor pre = Tap.At(tape, "hook_pre", Scaled(tape, made[0], _kind.PreScale));
        Tensor linear = _gate is null ? default : Tap.At(tape, "hook_pre_linear", made[1]);
        Tensor post = Tap.At(tape, "hook_post", _kind.Activate(tape, pre, linear));
        return Scaled(tape, _down.Forward(tape, post), _kind.OutputScale);
    }

    private static Tensor Scaled(Tape tape, Tensor x, double factor) => factor == 1 ? x : ScaleOp.Record(tape, x, factor);
}
