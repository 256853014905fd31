namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// How a product is cut, by its shape only. A strip of b and a panel of a (16 and 6 KB with 256-bit vectors) share the first-level
/// cache, maybe with another thread's; a block of a and packed b fit the second, or b the nearest part of the third. Method: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication".
/// </summary>
internal readonly struct BlockPlan
{
    private const int MaxDepth = 256;
    private const int DirectRows = 128;
    private const int MaxRows = 48;
    private const long MaxPackedElements = 1 << 17;
    private const int MaxColumns = 4096;
    private const int WantedItems = 4;
    private const int LeastStrips = 4;

    public BlockPlan(in Product product, int elementBytes, int tileRows, int tileColumns)
    {
        int depthBlocks = Ceiling(product.Depth, MaxDepth);
        DepthBlock = Ceiling(product.Depth, depthBlocks);
        // Small products in more, lower blocks: a of a block is packed once, while a cut by columns would pack it again.
        int share = Ceiling(Ceiling(product.Rows, WantedItems), tileRows) * tileRows;
        RowBlock = Math.Min(share, MaxRows / tileRows * tileRows);
        int rows = Ceiling(product.Rows, RowBlock);

        PacksB = product.BColumn != elementBytes || product.Rows > DirectRows;
        ColumnSpan = !PacksB ? Ceiling(product.Columns, tileColumns) * tileColumns : Math.Min(Ceiling(product.Columns, tileColumns) * tileColumns, MaxColumns);
        long blocks = Math.Max(1, MaxPackedElements / ((long)ColumnSpan * DepthBlock));
        DepthSpan = !PacksB ? product.Depth : (int)Math.Min(product.Depth, blocks * DepthBlock);

        int strips = ColumnSpan / tileColumns;
        int chunks = Math.Clamp(WantedItems / rows, 1, Math.Max(1, strips / LeastStrips));
        ChunkStrips = Ceiling(strips, chunks);
    }

    /// <summary>False where few rows would use what was packed: then whole strips of b are read where they lie.</summary>
    public bool PacksB { get; }

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
