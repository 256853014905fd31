using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// m = √(1 − c · e^(2x)), the factor on what comes in that keeps the size of a state whose decay is eˣ (RG-LRU, arXiv 2402.19427); c is 0 where a row or a document
/// begins, and m is 1 there. x, m [B, T, C], none of x above 0, where m would be 0; c [B, T], without a gradient. dx = −dm · c · e^(2x) / m, where an m below 5e-4 counts as that.
/// </summary>
public sealed class InputScaleOp : Op
{
    private const int X = 0, Continues = 1;

    public override string Name => "input-scale";

    public static Tensor Record(Tape tape, Tensor x, Tensor continues) => x.Layout.Rank == 3 && continues.Layout.SameShape(Layout.Of(x[0], x[1]))
        ? tape.Record(new InputScaleOp(), [x, continues.Reshape(x[0], x[1], 1)], x.Layout)
        : throw new ArgumentException($"input-scale: x {x} and continues {continues}; expected [B, T, C] and [B, T]");

    public override bool IsDifferentiable(int input) => input == X;

    public override void Forward(Backend backend, OpCall call) => backend.Zip(default(Value), call.Input(X), call.Input(Continues), call.Output(0));

    public override void Backward(Backend backend, OpCall call) =>
        backend.Zip(default(Gradient), call.Input(X), call.Input(Continues), call.OutputGradient(0), call.InputGradient(X), call.Accumulates(X));

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int b, int t, int c) in new[] { (1, 1, 1), (2, 7, 19) })
        {
            yield return Case($"input-scale [{b}, {t}, {c}]", b, t, c);
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) => [Case($"input-scale {s.Name} [{s.Batch}, {s.Time}, {s.Width}]", s.Batch, s.Time, s.Width)];

    private static OpCase Case(string name, int b, int t, int c) => new(
        name, [new OpInput([b, t, c], -2, -0.02), new OpInput([b, t]) { Values = [.. Enumerable.Range(0, b * t).Select(i => i % 3 == 0 ? 0.0 : 1)] }],
        (tape, v) => Record(tape, v[0], v[1]), v => [.. v[0].Select((x, i) => Math.Sqrt(1 - (v[1][i / c] * Math.Exp(2 * x))))]);

    internal readonly struct Value : IBinaryOp
    {
        public V Invoke<V>(V x, V continues)
            where V : struct, ILane<V>
        {
            // 1 − e^(2x) = −2t / (1 − t) with t = tanh x, which loses no digits where x is small.
            V tanh = V.Tanh(x), one = V.Constant(1);
            return V.SelectGreater(continues, V.Constant(0), V.Sqrt(V.Max(V.Constant(-2) * tanh / (one - tanh), V.Constant(0))), one);
        }
    }

    internal readonly struct Gradient : ITernaryOp
    {
        public V Invoke<V>(V x, V continues, V dm)
            where V : struct, ILane<V>
        {
            V m = V.Max(default(Value).Invoke(x, continues), V.Constant(5e-4)), zero = V.Constant(0);
            return V.SelectGreater(x, zero, zero, -(dm * continues * V.Exp(V.Constant(2) * x)) / m);
        }
    }
}
