using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>y = f(x) element by element; dx = dy ⊙ f′(x).</summary>
public sealed class ActivationOp<TActivation> : Op
    where TActivation : struct, IActivation
{
    public override string Name => TActivation.Name;

    public static Tensor Record(Tape tape, Tensor x) => tape.Record(new ActivationOp<TActivation>(), [x], x.Layout);

    public override void Forward(Backend backend, OpCall call) =>
        backend.Map(default(Value), call.Input(0), call.Output(0));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareMap(default(Value), call.Input(0), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        backend.Zip(default(Gradient), call.Input(0), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach (int length in new[] { 1, 7, 31, 257 })
        {
            // The odd offset keeps central differences away from the kink at 0.
            yield return new OpCase($"{TActivation.Name} [{length}]", [new OpInput([length], -6.03, 5.98)],
                (tape, t) => Record(tape, t[0]), a => [.. a[0].Select(TActivation.Reference)]);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"{TActivation.Name} {s.Name} [{s.Tokens}, {s.Hidden}]", [new OpInput([s.Tokens, s.Hidden], -6, 6)],
            (tape, t) => Record(tape, t[0]), a => [.. a[0].Select(TActivation.Reference)]);
    }

    internal readonly struct Value : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => default(TActivation).Value(x);
    }

    internal readonly struct Gradient : IBinaryOp
    {
        public V Invoke<V>(V x, V dy)
            where V : struct, ILane<V>
        {
            default(TActivation).Value(x, out V derivative);
            return dy * derivative;
        }
    }
}
