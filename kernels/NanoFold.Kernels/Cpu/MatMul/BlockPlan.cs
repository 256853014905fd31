namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// How a product is cut, by its shape only. Packed b (all depth blocks of some columns) is to stay in the third-level cache,
/// a block of a in the second, a strip of b in the first. Method: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication".
/// </summary>
internal readonly struct BlockPlan
{
    private const int MaxDepth = 384;
    private const int MaxRows = 96;
    private const long MaxPackedElements = 2 << 20;
    private const int MaxColumns = 4096;
    private const int WantedItems = 8;
    private const int LeastStrips = 4;

    public BlockPlan(in Product product, int tileRows, int tileColumns)
    {
        int depthBlocks = Ceiling(product.Depth, MaxDepth);
        DepthBlock = Ceiling(product.Depth, depthBlocks);
        int rowBlocks = Ceiling(product.Rows, MaxRows);
        RowBlock = Ceiling(Ceiling(product.Rows, rowBlocks), tileRows) * tileRows;
        int rows = Ceiling(product.Rows, RowBlock);

        ColumnSpan = Math.Min(Ceiling(product.Columns, tileColumns) * tileColumns, MaxColumns);
        long blocks = Math.Max(1, MaxPackedElements / ((long)ColumnSpan * DepthBlock));
        DepthSpan = (int)Math.Min(product.Depth, blocks * DepthBlock);

        int strips = ColumnSpan / tileColumns;
        int chunks = Math.Clamp(WantedItems / rows, 1, Math.Max(1, strips / LeastStrips));
        ChunkStrips = Ceiling(strips, chunks);
    }

    /// <summary>Depth of one pass of the micro-kernel.</summary>
    public int DepthBlock { get; }

    /// <summary>Rows of an item.</summary>
    public int RowBlock { get; }

    /// <summary>Columns packed at once, a multiple of the tile's.</summary>
    public int ColumnSpan { get; }

    /// <summary>Depth packed at once, a multiple of <see cref="DepthBlock"/> or all.</summary>
    public int DepthSpan { get; }

    /// <summary>Strips of b of an item.</summary>
    public int ChunkStrips { get; }

    public static int Ceiling(int count, int unit) => (count - 1) / unit + 1;
}
