namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>Groups of a norm's backward pass, each with partial sums: enough to fill the device, and no more than needed for that.</summary>
internal static class NormGroups
{
    /// <summary>Pieces of a lane at most: besides a row there are its gradient and the sums.</summary>
    public const int MostPieces = 6;

    /// <summary>Groups at most where devices do not say how many run together.</summary>
    private const int Most = 512;

    /// <summary>Rows of a run of lanes at least where a group's sums cost barriers.</summary>
    private const int LeastRows = 4;

    public static NormSplit Split(GpuContext context, int width) => new(context, width, MostPieces);

    public static int RowsPerGroup(GpuContext context, long rows, int width, bool isCentered)
    {
        NormSplit split = Split(context, width);
        int runs = context.GroupSize / split.Lanes;
        // As many as the registers of a multiprocessor let run together, so that all end at the same time.
        int most = context.HasWarps ? context.Accelerator.NumMultiprocessors * Math.Clamp((isCentered ? 6 : 9) / split.Pieces, 2, 4) : Most;
        return checked((int)(runs * Math.Max(context.HasWarps ? 1 : LeastRows, Groups(rows, runs * most))));
    }

    public static int Groups(GpuContext context, long rows, int width, bool isCentered)
        => checked((int)Groups(rows, RowsPerGroup(context, rows, width, isCentered)));

    /// <summary>Groups of either kind of norm at most.</summary>
    public static int MostGroups(GpuContext context, long rows, int width)
        => Math.Max(Groups(context, rows, width, isCentered: false), Groups(context, rows, width, isCentered: true));

    private static long Groups(long rows, int rowsPerGroup) => (rows + rowsPerGroup - 1) / rowsPerGroup;
}
