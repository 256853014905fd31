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
        return Scaled(tape, Gated(context, x) ?? Composed(context, x), _kind.OutputScale);
    }

    private Tensor Composed(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        Tensor[] made = _gate is null ? [_up.Forward(tape, x)] : JoinedLinear.Forward(context, x, _gate, _up);
        Tensor pre = Tap.At(tape, "hook_pre", Scaled(tape, made[0], _kind.PreScale));
        Tensor linear = _gate is null ? default : Tap.At(tape, "hook_pre_linear", made[1]);
        Tensor post = Tap.At(tape, "hook_post", _kind.Activate(tape, pre, linear));
        return _down.Forward(tape, post);
    }

    // The activation as part of the products around it. Points are read as they stand; where one is edited, or its gradient read, it is made by itself.
    private Tensor? Gated(ForwardContext context, Tensor x)
    {
        Tape tape = context.Tape;
        if (_gate is null || _kind.Gate is not { } formula || _kind.PreScale != 1 || !GatedLinearOp.IsWorthwhile(tape.Backend) || _down.PlainOn(tape) is not { } down
            || TapPoints.Any(point => Tap.IsReplaced(tape, point.Name[(_scope.Length + 1)..])) || !JoinedLinear.TryJoin(context, [_gate, _up], out Tensor weight, out Tensor bias))
        {
            return null;
        }

        (Tensor gates, Tensor post) = GatedLinearOp.Record(tape, x, weight, bias, formula);
        Tap.ReadOnly(tape, "hook_pre", gates.Slice(gates.Layout.Rank - 1, 0, _gate.Outputs));
        Tap.ReadOnly(tape, "hook_pre_linear", gates.Slice(gates.Layout.Rank - 1, _gate.Outputs, _up.Outputs));
        Tap.ReadOnly(tape, "hook_post", post);
        return GatedDownOp.Record(tape, post, gates, down.Stored(tape), down.Bias(tape), formula);
    }

    private static Tensor Scaled(Tape tape, Tensor x, double factor) => factor == 1 ? x : ScaleOp.Record(tape, x, factor);
}
