using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Engine.Ops;

/// <summary>Means of blocks of tokens, [B, T, G, D] to [B, T / size (rounded up), G, D]: see <see cref="BlockMeanCall"/>.</summary>
public sealed class BlockMeanOp(IKernel<BlockMeanCall> kernel, IKernel<BlockMeanBackwardCall> backwardKernel, int size) : Op
{
    public override string Name => "block-mean";

    /// <param name="tape">Where to record.</param>
    /// <param name="x">[B, T, G, D].</param>
    /// <param name="size">Tokens of a block.</param>
    /// <param name="documents">Document of each token, Int32 [B, T], or none.</param>
    public static Tensor Record(Tape tape, Tensor x, int size, Tensor documents = default)
    {
        if (x.Layout.Rank != 4 || size < 1)
        {
            throw new ArgumentException($"block-mean: x {x} in blocks of {size}; expected [B, T, G, D] and at least 1");
        }

        var op = new BlockMeanOp(tape.Backend.Require<BlockMeanCall>(), tape.Backend.Require<BlockMeanBackwardCall>(), size);
        return tape.Record(op, [x, documents], Layout.Of(x[0], (x[1] + size - 1) / size, x[2], x[3]));
    }

    public override bool IsDifferentiable(int input) => input == 0;

    public override bool BackwardReadsInput(int input) => input == 1;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new BlockMeanCall(call.Input(0), call.Output(0), call.Input(1), size));

    public override void Backward(Backend backend, OpCall call) =>
        backwardKernel.Run(new BlockMeanBackwardCall(call.OutputGradient(0), call.InputGradient(0), call.Input(1), size, call.Accumulates(0)));

    internal static IEnumerable<OpCase> Cases()
    {
        double[] documents = [0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 3];
        yield return Case("block-mean of 3 [2, 7, 2, 5]", 3, null);
        yield return Case("block-mean of 4 of documents [2, 7, 2, 5]", 4, documents);

        OpCase Case(string name, int size, double[]? of) => new(
            name, [OpInput.Real(2, 7, 2, 5), new OpInput([2, 7]) { IsInteger = true, Values = documents }],
            (tape, x) => Record(tape, x[0], size, of is null ? default : x[1]), x => Reference(x[0], 2, 7, 10, size, of));
    }

    internal static IEnumerable<OpCase> SpeedCases(BlockShape s)
    {
        yield return new OpCase($"block-mean {s.Name} of 16 [{s.Batch}, {s.Time}, {s.Heads}, {s.HeadDim}]", [OpInput.Real(s.Batch, s.Time, s.Heads, s.HeadDim)],
            (tape, x) => Record(tape, x[0], 16), x => Reference(x[0], s.Batch, s.Time, s.Heads * s.HeadDim, 16, null));
    }

    private static double[] Reference(double[] x, int batch, int time, int width, int size, double[]? documents)
    {
        int blocks = (time + size - 1) / size;
        var y = new double[batch * blocks * width];
        for (int i = 0; i < y.Length; i++)
        {
            int b = i / (blocks * width), first = i / width % blocks * size, last = Math.Min(first + size, time) - 1;
            y[i] = Enumerable.Range(first, last - first + 1)
                .Where(t => documents is null || documents[(b * time) + t] == documents[(b * time) + last])
                .Average(t => x[(((b * time) + t) * width) + (i % width)]);
        }

        return y;
    }
}

/// <summary>Writes new rows to a cache and the means of the blocks that they complete to another: see <see cref="CachedBlockMeanCall"/>. No result, no gradient.</summary>
public sealed class CachedBlockMeanOp(IKernel<CachedBlockMeanCall> kernel, int size) : Op
{
    public override string Name => "cached-block-mean";

    /// <param name="tape">Where to record, before what reads the caches.</param>
    /// <param name="x">New rows, [B, T, G, D].</param>
    /// <param name="cache">[B, capacity, G, D].</param>
    /// <param name="means">[B, capacity / size (rounded up), G, D].</param>
    /// <param name="positions">Position of each row's first new token, Int32 [B].</param>
    /// <param name="counts">New tokens of each row, Int32 [B].</param>
    /// <param name="size">Tokens of a block.</param>
    public static void Record(Tape tape, Tensor x, Tensor cache, Tensor means, Tensor positions, Tensor counts, int size) =>
        tape.Record(new CachedBlockMeanOp(tape.Backend.Require<CachedBlockMeanCall>(), size), [x, cache, means, positions, counts], []);

    public override bool IsDifferentiable(int input) => false;

    public override bool HasSideEffects => true;

    public override void Forward(Backend backend, OpCall call) => kernel.Run(new CachedBlockMeanCall
    {
        X = call.Input(0),
        Cache = call.Input(1),
        Means = call.Input(2),
        Positions = call.Input(3),
        Counts = call.Input(4),
        Size = size,
    });
}
