using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of probabilities with everything but their k largest entries set to 0 and the rest divided by its sum: what top-k attention weighs with.
/// Among equals the smaller index wins. x and y [.., S]. With s the sum of what is kept, dx = (dy − Σ dy ⊙ y) / s where y &gt; 0.
/// </summary>
public sealed class KeepLargestOp(IKernel<PlaceAlongCall> placing) : Op
{
    public override string Name => "keep-largest";

    public static Tensor Record(Tape tape, Tensor x, int k)
    {
        int rows = checked((int)x.Layout.Rows);
        Tensor flat = x.Reshape(rows, x[-1]);
        (Tensor values, Tensor indices) = TopKOp.Record(tape, flat, Math.Min(k, x[-1]));
        return tape.Record(new KeepLargestOp(tape.Backend.Require<PlaceAlongCall>()), [flat, values, indices], flat.Layout).Reshape(x.Layout.ToShape());
    }

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 0;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        View y = call.Output(0);
        View sums = call.Scratch.As(y.Type, Layout.Of(y.Layout[0], 1), Reduction.ScratchBytes(y.Type, y.Layout[0]) / y.Type.Size());
        placing.Run(new PlaceAlongCall(call.Input(1), call.Input(2), y, Axis: 1, Accumulate: false));
        Reduction.Sum(backend, y, sums, accumulate: false, call.Scratch);
        backend.Zip(default(Divide), y, sums, y);
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View x = call.Input(0), y = call.Output(0), dy = call.OutputGradient(0);
        Layout column = Layout.Of(y.Layout[0], 1);
        View row = call.Scratch.As(y.Type, y.Layout, Reduction.ScratchBytes(y.Type, column.Count) / y.Type.Size());
        View means = row.With(column, row.Count);
        View sums = row.With(column, row.Count + means.Count);
        backend.Zip(default(Product), dy, y, row);
        Reduction.Sum(backend, row, means, accumulate: false, call.Scratch);
        backend.Zip(default(WherePositive), x, y, row);
        Reduction.Sum(backend, row, sums, accumulate: false, call.Scratch);
        backend.Zip(default(Centered), dy, means, sums, row);
        backend.Zip(default(WherePositive), row, y, call.InputGradient(0), call.Accumulates(0));
    }

    public override long ForwardScratchBytes(Node node) => Rows(node) * Size(node) + Reduction.ScratchBytes(node.Outputs[0].Type, Rows(node));

    public override long BackwardScratchBytes(Node node) =>
        (node.Outputs[0].Layout.Count + 2 * Rows(node)) * Size(node) + Reduction.ScratchBytes(node.Outputs[0].Type, Rows(node));

    internal static IEnumerable<OpCase> Cases()
    {
        yield return new OpCase("keep-largest 2 of [3, 9]", [new OpInput([3, 9], 0, 1)], (tape, t) => Record(tape, t[0], 2), a => Reference(a[0], 9, 2));
        yield return new OpCase("keep-largest 3 of equals [3, 6]",
            [new OpInput([3, 6]) { Values = [0.25, 0.5, 0.25, 0.25, 0.25, 0.5, 0, 0.125, 0.125, 0, 0, 0, 1, 1, 1, 1, 1, 1] }],
            (tape, t) => Record(tape, t[0], 3), a => Reference(a[0], 6, 3))
        { CheckGradient = false };
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int rows, int width, int k) = (s.Heads * s.Time, s.Time, s.Time / 8);
        yield return new OpCase($"keep-largest {s.Name} {k} of [{rows}, {width}]", [new OpInput([rows, width], 0, 1)], (tape, t) => Record(tape, t[0], k), a => Reference(a[0], width, k));
    }

    private static double[] Reference(double[] x, int width, int k) => [.. x.Chunk(width).SelectMany(row =>
    {
        HashSet<int> kept = [.. Enumerable.Range(0, width).OrderByDescending(i => row[i]).ThenBy(i => i).Take(k)];
        double sum = kept.Sum(i => row[i]);
        return row.Select((value, i) => kept.Contains(i) ? value / sum : 0);
    })];

    private static long Rows(Node node) => node.Outputs[0].Layout.Rows;

    private static int Size(Node node) => node.Outputs[0].Type.Size();

    internal readonly struct Product : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => a * b;
    }

    internal readonly struct WherePositive : IBinaryOp
    {
        public V Invoke<V>(V x, V y)
            where V : struct, ILane<V>
            => V.SelectGreater(y, V.Constant(0), x, V.Constant(0));
    }

    internal readonly struct Centered : ITernaryOp
    {
        public V Invoke<V>(V dy, V mean, V sum)
            where V : struct, ILane<V>
            => (dy - mean) / sum;
    }

    internal readonly struct Divide : IBinaryOp
    {
        public V Invoke<V>(V x, V sum)
            where V : struct, ILane<V>
            => x / sum;
    }
}
