using System.Runtime.CompilerServices;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// r = 1 / (max(|n|, e^(−m)) + ε), what a read of matrix memory is multiplied with (xLSTM, arXiv 2405.04517): n the read of the normalizer, m the logarithm that was
/// taken out of both. n, m, r of one shape. dn = −sign(n) r² dr where |n| is the larger one, dm = e^(−m) r² dr elsewhere.
/// </summary>
public sealed class StabilizerOp(double epsilon) : Op
{
    private const int N = 0, M = 1;

    // e^−m stays finite: what is beyond is as good as 0 once it is divided by.
    private const double LeastLogarithm = -80;

    public override string Name => "stabilizer";

    public static Tensor Record(Tape tape, Tensor n, Tensor m, double epsilon) => n.Layout.SameShape(m.Layout)
        ? tape.Record(new StabilizerOp(epsilon), [n, m], n.Layout)
        : throw new ArgumentException($"stabilizer: n {n} and m {m}; expected one shape");

    public override void Forward(Backend backend, OpCall call) => backend.Zip(new Value(epsilon), call.Input(N), call.Input(M), call.Output(0));

    public override void Backward(Backend backend, OpCall call)
    {
        if (!call.InputGradient(N).IsNone)
        {
            backend.Zip(new OfN(epsilon), call.Input(N), call.Input(M), call.OutputGradient(0), call.InputGradient(N), call.Accumulates(N));
        }

        if (!call.InputGradient(M).IsNone)
        {
            backend.Zip(new OfM(epsilon), call.Input(N), call.Input(M), call.OutputGradient(0), call.InputGradient(M), call.Accumulates(M));
        }
    }

    internal static IEnumerable<OpCase> Cases()
    {
        // No |n| is as large as e^(−m), where the derivative jumps.
        yield return Case("stabilizer by n [3, 17]", [3, 17], new OpInput([3, 17], 1.1, 3), 0, 2);
        yield return Case("stabilizer by −n [3, 17]", [3, 17], new OpInput([3, 17], -3, -1.1), 0, 2);
        yield return Case("stabilizer by m [3, 17]", [3, 17], new OpInput([3, 17], -0.9, 0.9), -2, 0);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) =>
        [Case($"stabilizer {s.Name} [{s.Tokens}, {s.Heads}]", [s.Tokens, s.Heads], OpInput.Real(s.Tokens, s.Heads), -2, 0)];

    private static OpCase Case(string name, int[] shape, OpInput n, double low, double high) => new(
        name, [n, new OpInput(shape, low, high)], (tape, v) => Record(tape, v[0], v[1], 1e-3), v => [.. v[0].Zip(v[1], (n, m) => 1 / (Math.Max(Math.Abs(n), Math.Exp(-m)) + 1e-3))]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Power<V>(V m)
        where V : struct, ILane<V>
        => V.Exp(-V.Max(m, V.Constant(LeastLogarithm)));

    internal readonly struct Value(double epsilon) : IBinaryOp
    {
        public V Invoke<V>(V n, V m)
            where V : struct, ILane<V>
            => V.Constant(1) / (V.Max(V.Abs(n), Power(m)) + V.Constant(epsilon));
    }

    internal readonly struct OfN(double epsilon) : ITernaryOp
    {
        public V Invoke<V>(V n, V m, V dr)
            where V : struct, ILane<V>
        {
            V r = new Value(epsilon).Invoke(n, m), slope = r * r * dr, zero = V.Constant(0);
            return V.SelectGreater(V.Abs(n), Power(m), V.SelectGreater(n, zero, -slope, slope), zero);
        }
    }

    internal readonly struct OfM(double epsilon) : ITernaryOp
    {
        public V Invoke<V>(V n, V m, V dr)
            where V : struct, ILane<V>
        {
            V r = new Value(epsilon).Invoke(n, m), power = Power(m);
            return V.SelectGreater(V.Abs(n), power, V.Constant(0), power * r * r * dr);
        }
    }
}
