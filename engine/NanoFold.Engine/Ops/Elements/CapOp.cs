using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>y = c · tanh(x / c), which levels off at ±c (Gemma 2, arXiv 2408.00118). dx = dy · (1 − tanh²(x / c)).</summary>
public sealed class CapOp(double cap) : Op
{
    public override string Name => "cap";

    public static Tensor Record(Tape tape, Tensor x, double cap) => cap > 0
        ? tape.Record(new CapOp(cap), [x], x.Layout)
        : throw new ArgumentException($"cap: {cap}; expected more than 0");

    public override void Forward(Backend backend, OpCall call) => backend.Map(new Value(cap), call.Input(0), call.Output(0));

    public override PreparedCall? Prepare(Backend backend, OpCall call) => backend.PrepareMap(new Value(cap), call.Input(0), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        backend.Zip(new Gradient(cap), call.Input(0), call.OutputGradient(0), call.InputGradient(0), call.Accumulates(0));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("cap [3, 41]", [new OpInput([3, 41], -9, 9)], (tape, t) => Record(tape, t[0], 2.5), a => [.. a[0].Select(x => 2.5 * Math.Tanh(x / 2.5))]);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"cap {s.Name} [{s.Tokens}, {s.Vocab}]", [new OpInput([s.Tokens, s.Vocab], -40, 40)],
            (tape, t) => Record(tape, t[0], 30), a => [.. a[0].Select(x => 30 * Math.Tanh(x / 30))]);
    }

    internal readonly struct Value(double cap) : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => V.Constant(cap) * V.Tanh(x * V.Constant(1 / cap));
    }

    internal readonly struct Gradient(double cap) : IBinaryOp
    {
        public V Invoke<V>(V x, V dy)
            where V : struct, ILane<V>
        {
            default(Tanh).Value(x * V.Constant(1 / cap), out V slope);
            return dy * slope;
        }
    }
}
