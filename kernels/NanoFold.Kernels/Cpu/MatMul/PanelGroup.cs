using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Panels of one height, one below the other: the full ones of a block of rows, or one of what is left below them.</summary>
internal readonly struct PanelGroup<TKernel>
    where TKernel : struct, IMicroKernel
{
    /// <param name="first">The first row that belongs to no group yet.</param>
    /// <param name="rows">All rows of the block.</param>
    public PanelGroup(int first, int rows)
    {
        int left = rows - first;
        First = first;
        Height = TKernel.PanelRows(left);
        Count = Height == TKernel.Rows ? Math.Max(1, Whole(left)) : 1;
        Rows = Math.Min(Height * Count, left);
    }

    public int First { get; }

    public int Height { get; }

    public int Count { get; }

    /// <summary>Rows of the block in the group; fewer than there is room for where the last panel is not full.</summary>
    public int Rows { get; }

    public bool IsFull => Rows == Height * Count;

    /// <summary>Where the next group begins.</summary>
    public int End => First + Rows;

    private static int Whole(int rows)
    {
        int whole = rows / TKernel.Rows;
        while (whole > 0 && TKernel.PanelRows(rows - (whole - 1) * TKernel.Rows) != TKernel.Rows)
        {
            whole--;
        }

        return whole;
    }
}
