using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>y = min(max(x, least), most), the bounds constants. dx = dy where x lies within them, the bounds included, and 0 elsewhere.</summary>
public sealed class ClampOp(double least, double most) : Op
{
    public override string Name => "clamp";

    public static Tensor Record(Tape tape, Tensor x, double least, double most) => tape.Record(new ClampOp(least, most), [x], x.Layout);

    public override void Forward(Backend backend, OpCall call) => backend.Map(new Value(least, most), call.Input(0), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        backend.Zip(new Gradient(least, most), call.Input(0), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0));

    internal static IEnumerable<OpCase> Cases()
    {
        // No value is close to a bound, so that central differences stay on one side of it.
        yield return new OpCase("clamp [4, 67]", [new OpInput([4, 67]) { Step = 0.25 }], (tape, t) => Record(tape, t[0], -0.375, 0.625), a => [.. a[0].Select(x => Math.Clamp(x, -0.375, 0.625))]);
        yield return new OpCase("clamp from below [31]", [new OpInput([31]) { Step = 0.25 }], (tape, t) => Record(tape, t[0], 0.125, double.PositiveInfinity), a => [.. a[0].Select(x => Math.Max(x, 0.125))]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"clamp {s.Name} [{s.Tokens}, {s.Width}]", [OpInput.Real(s.Tokens, s.Width)],
            (tape, t) => Record(tape, t[0], -0.4, 0.6), a => [.. a[0].Select(x => Math.Clamp(x, -0.4, 0.6))]);
    }

    internal readonly struct Value(double least, double most) : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => V.Min(V.Max(x, V.Constant(least)), V.Constant(most));
    }

    internal readonly struct Gradient(double least, double most) : IBinaryOp
    {
        public V Invoke<V>(V x, V dy)
            where V : struct, ILane<V>
            => V.SelectGreater(V.Constant(least), x, V.Constant(0), V.SelectGreater(x, V.Constant(most), V.Constant(0), dy));
    }
}
