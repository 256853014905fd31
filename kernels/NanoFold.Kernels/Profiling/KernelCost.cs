using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Profiling;

/// <summary>
/// Work of a call. FLOPs: a product of [M, K] and [K, N] is 2·M·N·K and its epilogue nothing; attention counts the products over visible
/// pairs; an elementwise formula what it does per element. Bytes: each operand read once and each result written once (read, too, where
/// it is added to); scratch memory does not count.
/// </summary>
public readonly record struct KernelCost(double Flops, double Bytes)
{
    public static KernelCost operator +(KernelCost a, KernelCost b) => new(a.Flops + b.Flops, a.Bytes + b.Bytes);

    /// <summary>Bytes of the elements that a view has, broadcast ones once; 0 for none.</summary>
    public static double BytesOf(in View view)
    {
        if (view.IsNone)
        {
            return 0;
        }

        double elements = 1;
        for (int i = 0; i < view.Layout.Rank; i++)
        {
            elements *= view.Layout.Stride(i) == 0 ? 1 : view.Layout[i];
        }

        return elements * view.Type.BlockBytes() / (view.Type.IsBlocks() ? DTypeExtensions.BlockValues : 1);
    }

    /// <summary>Bytes of a result: written, and read before where it is added to.</summary>
    public static double BytesOf(in View view, bool accumulate) => accumulate ? 2 * BytesOf(view) : BytesOf(view);

    internal static KernelCost Pointwise(int flops, in View y, bool accumulate, double operandBytes)
        => new((double)y.Count * (accumulate ? flops + 1 : flops), operandBytes + BytesOf(y, accumulate));

    /// <remarks>Half of a symmetric product and its diagonal are computed at least.</remarks>
    internal static KernelCost MatMul(in MatMulArgs args) => new(
        (args.IsSymmetric ? args.Y.Count + args.Y.Layout.Rows : 2.0 * args.Y.Count) * args.A.Layout[args.TransposeA ? -2 : -1],
        BytesOf(args.A) + BytesOf(args.B) + BytesOf(args.Bias) + BytesOf(args.Residual) + BytesOf(args.Y, args.Accumulate));

    internal static ProductShape ShapeOf(in MatMulArgs args)
    {
        int m = args.Y.Layout[-2], n = args.Y.Layout[-1];
        return new(args.Y.Count / m / n, m, n, args.A.Layout[args.TransposeA ? -2 : -1], args.TransposeA, args.TransposeB);
    }

    /// <remarks>
    /// Which rows are in which group is data: where it lies in the host's memory, the rows that are in one count, otherwise all do. No more groups are read than there are rows.
    /// </remarks>
    internal static KernelCost GroupedMatMul(in GroupedMatMulArgs args)
    {
        int all = args.A.Layout[0];
        double rows = RowsInGroups(args.Offsets, all), share = all > 0 ? rows / all : 0;
        double b = args.PerGroupOutput ? share : Math.Min(1, rows / args.B.Layout[0]), y = args.PerGroupOutput ? 1 : share;
        return new(
            2 * rows * args.A.Layout[1] * args.Y.Layout[-1],
            (BytesOf(args.A) * share) + (BytesOf(args.B) * b) + BytesOf(args.Offsets) + (BytesOf(args.Y, args.Accumulate) * y));
    }

    private static unsafe int RowsInGroups(in View offsets, int all)
        => offsets.Buffer is NativeBuffer ? Math.Clamp(offsets.Ints[(offsets.Layout[0] - 1) * offsets.Layout.Stride(0)], 0, all) : all;

    internal static ProductShape ShapeOf(in GroupedMatMulArgs args) => args.PerGroupOutput
        ? new(1, args.A.Layout[1], args.Y.Layout[2], args.A.Layout[0], true, false)
        : new(1, args.A.Layout[0], args.Y.Layout[1], args.A.Layout[1], false, args.TransposeB);

    internal static KernelCost Softmax(in View x, in View y, in Visible visible)
    {
        int rank = x.Layout.Rank, batch = rank > 2 ? x.Layout[0] : 1, queries = rank > 1 ? x.Layout[-2] : 1;
        double pairs = VisiblePairs.Count(visible, batch, (int)(x.Layout.Rows / batch / queries), queries, x.Layout[-1]);
        // The largest, scale and difference, exponential, sum, quotient.
        return new(pairs * (5 + Formula.ExpFlops), BytesOf(x) + BytesOf(y));
    }
}
