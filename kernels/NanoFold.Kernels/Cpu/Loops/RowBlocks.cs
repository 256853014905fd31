namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>How rows are cut into work items: by shape only, so that results do not depend on the number of threads.</summary>
internal static class RowBlocks
{
    private const int ElementsPerItem = 16384;
    private const int MostRowsPerItem = 256;

    /// <summary>Rows of one item.</summary>
    public static int RowsPerItem(int width) => Math.Clamp(ElementsPerItem / width, 1, MostRowsPerItem);

    /// <summary>Rows of one item where there may be no more than <paramref name="mostItems"/>.</summary>
    public static long RowsPerItem(long rows, int width, int mostItems) => Math.Max(RowsPerItem(width), (rows + mostItems - 1) / mostItems);

    public static long Items(long rows, long rowsPerItem) => (rows + rowsPerItem - 1) / rowsPerItem;
}
