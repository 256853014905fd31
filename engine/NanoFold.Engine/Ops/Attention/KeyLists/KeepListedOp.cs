using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Ops;

/// <summary>
/// Rows of probabilities with everything but the entries that a list names set to 0 and the rest divided by its sum: what attention over lists of keys weighs
/// with. x and y [B, H, T, S]. With s the sum of what is kept, dx = (dy − Σ dy ⊙ y) / s where y &gt; 0.
/// </summary>
public sealed class KeepListedOp(IKernel<TakeAlongCall> taking, IKernel<PlaceAlongCall> placing) : Op
{
    public override string Name => "keep-listed";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, H, T, S].</param>
    /// <param name="kept">Int32 [B, L, T, n] with L dividing H, of keys or of blocks.</param>
    public static Tensor Record(Tape tape, Tensor x, KeyList kept)
    {
        Tensor lists = Keys(tape, kept);
        Tensor grouped = x.Reshape(x[0], lists[1], x[1] / lists[1], x[2], x[3]);
        var op = new KeepListedOp(tape.Backend.Require<TakeAlongCall>(), tape.Backend.Require<PlaceAlongCall>());
        return tape.Record(op, [grouped, lists.Reshape(lists[0], lists[1], 1, lists[2], lists[3])], grouped.Layout).Reshape(x.Layout.ToShape());
    }

    /// <summary>Lists of keys from lists of blocks; what lies after the last stays below 0.</summary>
    internal static Tensor Keys(Tape tape, KeyList kept)
    {
        if (kept.KeySize == 1)
        {
            return kept.Lists;
        }

        Tensor blocks = kept.Lists;
        Tensor first = IntegerMapOp.Record(tape, IntegerOperation.Multiply, blocks, number: kept.KeySize);
        Tensor within = IntegerRangeOp.Record(tape, [blocks[0], blocks[1], blocks[2], blocks[3], kept.KeySize], axis: 4);
        Tensor keys = IntegerMapOp.Record(tape, IntegerOperation.Add, within, first.Reshape(blocks[0], blocks[1], blocks[2], blocks[3], 1));
        return keys.Reshape(blocks[0], blocks[1], blocks[2], blocks[3] * kept.KeySize);
    }

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 0;

    public override bool BackwardReadsOutput(int output) => true;

    public override void Forward(Backend backend, OpCall call)
    {
        View x = call.Input(0), y = call.Output(0), indices = Spread(call);
        Layout column = Column(y.Layout), taken = indices.Layout.Contiguous();
        View sums = call.Scratch.As(y.Type, column, Reduction.ScratchBytes(y.Type, column.Count) / y.Type.Size());
        View values = sums.With(taken, column.Count);
        taking.Run(new TakeAlongCall(x, indices, values, Axis: 4, Accumulate: false));
        placing.Run(new PlaceAlongCall(values, indices, y, Axis: 4, Accumulate: false));
        Reduction.Sum(backend, y, sums, accumulate: false, call.Scratch);
        backend.Zip(default(Divide), y, sums, y);
    }

    public override void Backward(Backend backend, OpCall call)
    {
        View x = call.Input(0), y = call.Output(0), dy = call.OutputGradient(0);
        Layout column = Column(y.Layout);
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

    public override long ForwardScratchBytes(Node node)
    {
        Layout y = node.Outputs[0].Layout;
        return ((Rows(node) * (1 + node.Inputs[1][-1])) * Size(node)) + Reduction.ScratchBytes(node.Outputs[0].Type, y.Rows);
    }

    public override long BackwardScratchBytes(Node node) =>
        (node.Outputs[0].Layout.Count + 2 * Rows(node)) * Size(node) + Reduction.ScratchBytes(node.Outputs[0].Type, Rows(node));

    internal static IEnumerable<OpCase> Cases()
    {
        double[] lists = [0, 3, 8, 1, 7, -1, 4, -1, -1];
        yield return Case("keep-listed [1, 8, 3, 9]", 9, lists, 1);
        yield return Case("keep-listed blocks of 2 of [1, 8, 3, 11]", 11, [0, 2, 5, 1, 2, -1, 4, -1, -1], 2);
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        (int time, int n) = (s.Time, s.Time / 8);
        double[] lists = [.. Enumerable.Range(0, time * n).Select(i => (double)(i % n * 8))];
        yield return new OpCase($"keep-listed {s.Name} {n} of [1, {s.Heads}, {time}, {time}]",
            [new OpInput([1, s.Heads, time, time], 0.1, 1), new OpInput([1, 1, time, n]) { IsInteger = true, Values = lists }],
            (tape, t) => Record(tape, t[0], new KeyList(t[1])), a => Reference(a[0], time, a[1], 1, time, n));
    }

    // Heads that share the lists of three rows.
    private static OpCase Case(string name, int keys, double[] lists, int size) => new(
        name, [new OpInput([1, 8, 3, keys], 0.1, 1), new OpInput([1, 1, 3, 3]) { IsInteger = true, Values = lists }],
        (tape, t) => Record(tape, t[0], new KeyList(t[1], size)), a => Reference(a[0], keys, a[1], size, 3, 3));

    private static double[] Reference(double[] x, int keys, double[] lists, int size, int rows, int n) => [.. x.Chunk(keys).SelectMany((row, i) =>
    {
        HashSet<int> kept = [.. lists.AsSpan(i % rows * n, n).ToArray().Where(k => k >= 0).SelectMany(k => Enumerable.Range((int)k * size, size))];
        double sum = kept.Where(k => k < keys).Sum(k => row[k]);
        return row.Select((value, k) => kept.Contains(k) ? value / sum : 0);
    })];

    // One list for all heads that share it.
    private static View Spread(OpCall call)
    {
        View lists = call.Input(1);
        Layout x = call.Input(0).Layout;
        return lists.With(lists.Layout.BroadcastTo(Layout.Of(x[0], x[1], x[2], x[3], lists.Layout[-1])));
    }

    private static Layout Column(in Layout y) => Layout.Of(y[0], y[1], y[2], y[3], 1);

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
