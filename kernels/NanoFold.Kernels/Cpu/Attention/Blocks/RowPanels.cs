using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// Rows of whole lanes as <see cref="Tiles"/> read them, two lanes after two: packed by <see cref="BlockPacking.Rows{V}"/>, or where they lie. Distances in elements.
/// </summary>
internal readonly unsafe struct RowPanels
{
    /// <summary>Rows so many bytes apart share a few lines of the first-level cache, and push each other out.</summary>
    private const int CacheWayBytes = 2048;

    private RowPanels(void* start, nint row, nint next, nint lastRow, int lanes)
    {
        Start = start;
        (Row, Next, LastRow, Lanes) = (row, next, lastRow, lanes);
    }

    public void* Start { get; }

    /// <summary>Between rows.</summary>
    public nint Row { get; }

    /// <summary>Between pairs of lanes.</summary>
    public nint Next { get; }

    /// <summary>Between rows of a last single lane.</summary>
    public nint LastRow { get; }

    public int Lanes { get; }

    public static RowPanels Packed<V>(void* panels, int rows, int lanes)
        where V : struct, ICpuLane<V>
        => new(panels, 2 * V.Width, (nint)rows * 2 * V.Width, V.Width, lanes);

    /// <summary>Whether rows are as good where they lie: read once or twice, of whole lanes, and not in each other's way.</summary>
    public static bool AreGood<V>(nint row, int depth)
        where V : struct, ICpuLane<V>
        => depth % V.Width == 0 && row * V.Type.Size() % CacheWayBytes != 0;

    public static RowPanels InPlace<V>(void* start, nint row, int depth)
        where V : struct, ICpuLane<V>
        => new(start, row, 2 * V.Width, row, depth / V.Width);
}
