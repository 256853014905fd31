using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// λ [1] = exp(q1 · k1) − exp(q2 · k2) + λ0 from parameters [D] (differential attention, arXiv 2410.05258); sums and exponentials in the type of sums.
/// dq1 = dλ · exp(q1 · k1) · k1 and so on.
/// </summary>
public sealed class DifferentialLambdaOp(double start) : Op
{
    public override string Name => "differential-lambda";

    /// <param name="tape">Where to record.</param>
    /// <param name="vectors">q1, k1, q2, k2.</param>
    /// <param name="start">λ0.</param>
    public static Tensor Record(Tape tape, Tensor[] vectors, double start) => vectors.Length == 4 && vectors.All(v => v.Layout.Rank == 1 && v[0] == vectors[0][0])
        ? tape.Record(new DifferentialLambdaOp(start), vectors, Layout.Of(1))
        : throw new ArgumentException($"differential-lambda: {string.Join(", ", vectors.Select(v => v.ToString()))}; expected four times [D]");

    public override void Forward(Backend backend, OpCall call)
    {
        var parts = new Parts(call);
        View first = parts.Dot(backend, call, 0), second = parts.Dot(backend, call, 1);
        backend.Zip(new Lambda(start), first, second, first);
        backend.Copy(first, call.Output(0));
    }

    public override void Backward(Backend backend, OpCall call)
    {
        var parts = new Parts(call);
        View gradient = parts.Scalar(2);
        for (int pair = 0; pair < 2; pair++)
        {
            View dot = parts.Dot(backend, call, pair);
            backend.Copy(call.OutputGradient(0), gradient);
            backend.Zip(new ExponentialGradient(pair == 0 ? 1 : -1), dot, gradient, dot);
            for (int i = 2 * pair; i < (2 * pair) + 2; i++)
            {
                if (!call.InputGradient(i).IsNone)
                {
                    backend.Zip(default(MultiplyOp.Product), parts.Vector(i ^ 1), dot, call.InputGradient(i), call.Accumulates(i));
                }
            }
        }
    }

    public override long ForwardScratchBytes(Node node) => Parts.Bytes(node.Inputs[0]);

    public override long BackwardScratchBytes(Node node) => Parts.Bytes(node.Inputs[0]);

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("differential-lambda [5]", [.. Enumerable.Repeat(OpInput.Weight(5), 4)], (tape, t) => Record(tape, t, 0.2), Reference) { Tolerance = 5e-6 };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s) =>
        [new OpCase($"differential-lambda {s.Name} [{s.HeadDim}]", [.. Enumerable.Repeat(OpInput.Weight(s.HeadDim), 4)], (tape, t) => Record(tape, t, 0.2), Reference) { Tolerance = 1e-5 }];

    private static double[] Reference(double[][] a)
    {
        double Dot(int i) => a[i].Zip(a[i + 1], (x, y) => x * y).Sum();
        return [Math.Exp(Dot(0)) - Math.Exp(Dot(2)) + 0.2];
    }

    /// <summary>Scratch in the type of sums: the four vectors, their products, three numbers.</summary>
    private readonly struct Parts(OpCall call)
    {
        private const int Unit = 64;

        private readonly View _scratch = call.Scratch;
        private readonly DType _type = call.Input(0).Type.Sum();
        private readonly int _length = call.Input(0).Layout[0];

        public static long Bytes(Tensor vector) => (((5 * Padded(vector[0])) + (3 * Unit)) * vector.Type.Sum().Size());

        public View Vector(int index) => _scratch.As(_type, Layout.Of(_length), index * Padded(_length));

        public View Scalar(int index) => _scratch.As(_type, Layout.Of(1), (5 * Padded(_length)) + (index * Unit));

        /// <summary>q · k of a pair.</summary>
        public View Dot(Backend backend, OpCall call, int pair)
        {
            View a = Vector(2 * pair), b = Vector((2 * pair) + 1), products = Vector(4), dot = Scalar(pair);
            backend.Copy(call.Input(2 * pair), a);
            backend.Copy(call.Input((2 * pair) + 1), b);
            backend.Zip(default(MultiplyOp.Product), a, b, products);
            backend.Sum(products, dot);
            return dot;
        }

        private static long Padded(int length) => (length + Unit - 1) / Unit * (long)Unit;
    }

    internal readonly struct Lambda(double start) : IBinaryOp
    {
        public V Invoke<V>(V first, V second)
            where V : struct, ILane<V>
            => V.Exp(first) - V.Exp(second) + V.Constant(start);
    }

    internal readonly struct ExponentialGradient(double sign) : IBinaryOp
    {
        public V Invoke<V>(V dot, V gradient)
            where V : struct, ILane<V>
            => V.Constant(sign) * gradient * V.Exp(dot);
    }
}
