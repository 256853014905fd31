using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>g [N] = m / ‖x‖ for each row of x, the norm a constant: m [N], x [N, K]. dm = dg / ‖x‖; no gradient flows to x.</summary>
public sealed class RowGainOp : Op
{
    private const int M = 0, X = 1, Inverse = 1;

    public override string Name => "row-gain";

    public static Tensor Record(Tape tape, Tensor m, Tensor x) => x.Layout.Rank == 2 && m.Layout.Rank == 1 && m[0] == x[0]
        ? tape.Record(new RowGainOp(), [m, x], [(Layout.Of(x[0]), tape.Type), (Layout.Of(x[0]), tape.Type)])[0]
        : throw new ArgumentException($"row-gain: m {m} and x {x}; expected [N] and [N, K]");

    public override bool IsDifferentiable(int input) => input == M;

    public override bool BackwardReadsInput(int input) => false;

    public override bool BackwardReadsOutput(int output) => output == Inverse;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(X), inverse = call.Output(Inverse);
        DType sum = x.Type.Sum();
        View squares = call.Scratch.As(sum, x.Layout.Contiguous()), sums = call.Scratch.As(sum, Layout.Of(x.Layout[0], 1), x.Count);
        backend.Copy(x, squares);
        backend.Zip(default(MultiplyOp.Product), squares, squares, squares);
        backend.Sum(squares, sums);
        backend.Map(default(InverseRoot), sums, sums);
        backend.Copy(sums.With(inverse.Layout), inverse);
        backend.Zip(default(MultiplyOp.Product), call.Input(M), inverse, call.Output(0));
    }

    public override void Backward(Backend backend, OpCall call) =>
        backend.Zip(default(MultiplyOp.Product), call.OutputGradient(0), call.Output(Inverse), call.InputGradient(M), call.Accumulates(M));

    public override long ForwardScratchBytes(Node node) => (node.Inputs[X].Layout.Count + node.Inputs[X][0]) * node.Inputs[X].Type.Sum().Size();

    internal static IEnumerable<OpCase> Cases()
    {
        foreach ((int rows, int width) in new[] { (1, 1), (5, 17) })
        {
            yield return new OpCase($"row-gain [{rows}, {width}]", [OpInput.Weight(rows), new OpInput([rows, width], 0.5, 2)],
                (tape, t) => Record(tape, t[0], t[1]), a => [.. a[1].Chunk(width).Select((row, i) => a[0][i] / Math.Sqrt(row.Sum(v => v * v)))])
            { CheckGradient = false };
        }
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"row-gain {s.Name} [{s.Width}, {s.Width}]", [OpInput.Weight(s.Width), new OpInput([s.Width, s.Width], 0.5, 2)],
            (tape, t) => Record(tape, t[0], t[1]), a => [.. a[1].Chunk(s.Width).Select((row, i) => a[0][i] / Math.Sqrt(row.Sum(v => v * v)))])
        { CheckGradient = false };
    }

    /// <summary>1 / √x; a row of zeros counts as one of 1e-30.</summary>
    internal readonly struct InverseRoot : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => V.Constant(1) / V.Sqrt(V.Max(x, V.Constant(1e-30)));
    }
}
