using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of probabilities with everything but their k largest entries set to 0 and the rest divided by its sum: what top-k attention weighs with.
/// Among equals the smaller index wins. x and y [.., S]. With s the sum of what is kept, dx = (dy − Σ dy ⊙ y) / s where y &gt; 0.
/// </summary>
public sealed class KeepLargestOp : Op
{
    public override string Name => "keep-largest";

    public static Tensor Record(Tape tape, Tensor x, int k)
    {
        int rows = checked((int)x.Layout.Rows);
        Tensor flat = x.Reshape(rows, x[-1]);
        (Tensor values, Tensor indices) = TopKOp.Record(tape, flat, Math.Min(k, x[-1]));
        return tape.Record(new KeepLargestOp(), [flat, values, indices], flat.Layout).Reshape(x.Layout.ToShape());
    }

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 0;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(0), values = call.Input(1), y = call.Output(0), scratch = call.Scratch;
        int rows = y.Layout[0], width = y.Layout[1], k = values.Layout[1];
        // Indices are told apart in single precision at the least.
        View zeros = scratch.With(Layout.Of(width, width));
        View means = scratch.With(Layout.Of(width, width), zeros.Count);
        View ranks = scratch.With(Layout.Of(rows * k, 1), 2 * zeros.Count);
        View sums = scratch.With(Layout.Of(rows, 1), 2 * zeros.Count + ranks.Count);
        bool isRounded = y.Type != scratch.Type;
        View order = isRounded ? scratch.With(y.Layout, 2 * zeros.Count + ranks.Count + sums.Count) : y;

        // The first column of a causal softmax of zeros, 1 / (j + 1), falls with the index j: what tells equals apart.
        backend.Fill(zeros, 0);
        backend.Softmax(zeros, means, 1, Visible.Causal);
        View byIndex = means.With(means.Layout.Slice(1, 0, 1, out _));
        backend.Gather(byIndex, call.Input(2).With(Layout.Of(rows * k)), ranks);

        // The last one kept is the smallest, and of its equals the one of the largest index.
        Layout last = Layout.Of(rows, k).Slice(1, k - 1, 1, out long offset);
        backend.Zip(default(Difference), byIndex.With(byIndex.Layout.Permute(1, 0)), ranks.With(last, offset), order);
        if (isRounded)
        {
            backend.Copy(order, y);
        }

        backend.Zip(default(Keep), x, values.With(last, offset), y, y);
        View rounded = isRounded ? order.As(y.Type, sums.Layout) : sums;
        Reduction.Sum(backend, y, rounded, accumulate: false, sums);
        backend.Zip(default(Divide), y, rounded, y);
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View x = call.Input(0), y = call.Output(0), dy = call.OutputGradient(0);
        Layout column = Layout.Of(y.Layout[0], 1);
        long start = Reduction.ScratchBytes(y.Type, column.Count) / y.Type.Size();
        View row = call.Scratch.As(y.Type, y.Layout, start);
        View means = row.With(column, row.Count);
        View sums = row.With(column, row.Count + means.Count);
        backend.Zip(default(Product), dy, y, row);
        Reduction.Sum(backend, row, means, accumulate: false, call.Scratch);
        backend.Zip(default(WherePositive), x, y, row);
        Reduction.Sum(backend, row, sums, accumulate: false, call.Scratch);
        backend.Zip(default(Centered), dy, means, sums, row);
        backend.Zip(default(WherePositive), row, y, call.InputGradient(0), call.Accumulates(0));
    }

    public override long BackwardScratchBytes(Node node) =>
        Reduction.ScratchBytes(node.Outputs[0].Type, node.Outputs[0].Layout.Rows) + (node.Outputs[0].Layout.Count + 2 * node.Outputs[0].Layout.Rows) * node.Outputs[0].Type.Size();

    public override long ForwardScratchBytes(Node node)
    {
        DType type = node.Outputs[0].Type;
        long rows = node.Outputs[0].Layout.Rows, width = node.Outputs[0][-1], k = node.Inputs[1][-1];
        return (2 * width * width + rows * k + rows + (type.Is16Bit() ? rows * width : 0)) * type.Sum().Size();
    }

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

    internal readonly struct Difference : IBinaryOp
    {
        // Only its sign counts; the factor keeps it from vanishing where it is rounded to half precision.
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => (a - b) * V.Constant(1 << 20);
    }

    internal readonly struct Keep : ITernaryOp
    {
        // before: at least 0 where the entry comes no later than the last one kept.
        public V Invoke<V>(V x, V smallest, V before)
            where V : struct, ILane<V>
        {
            V equal = V.SelectGreater(V.Constant(0), before, V.Constant(0), x);
            return V.SelectGreater(x, smallest, x, V.SelectGreater(smallest, x, V.Constant(0), equal));
        }
    }

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
