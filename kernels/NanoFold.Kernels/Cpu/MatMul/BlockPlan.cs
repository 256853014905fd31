namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// How a product is cut, by its shape only. A strip of b is as deep as the first-level cache is large: that it then shares the cache with
/// panels of a costs less than adding to y once more. A block of a is for the second-level cache, packed b for the second or third.
/// Method: Goto and van de Geijn, "Anatomy of high-performance matrix multiplication". The figures were measured on Zen 3.
/// </summary>
internal readonly struct BlockPlan
{
    private const int StripBytes = 1 << 15;
    private const int MaxDepth = 512;
    private const int MaxRows = 72;
    private const int MaxColumns = 1024;
    private const long MaxPackedElements = 1 << 17;

    /// <summary>From so many columns on, packed panels of a are used often enough to pay for packing them.</summary>
    private const int WideColumns = 256;

    /// <summary>
    /// Strips of so many bytes are two vectors of 512 bits. A step of their tiles does twice the work on the same six elements of a, so that these may come from the second-level
    /// cache: rows are never worth packing (3 to 6 % of a product on Zen 5).
    /// </summary>
    private const int WideStripBytes = 128;

    /// <summary>Steps of k that are a multiple of so many bytes apart share a few lines of each cache, and push each other out.</summary>
    private const int CacheWayBytes = 4096;

    /// <summary>Bytes over which a block of b may stretch and still stay in the first-level cache as it is.</summary>
    private const int DirectBytes = 1 << 15;

    /// <summary>
    /// Items for many threads to share, where that does not make blocks lower than <see cref="LeastRows"/> or chunks narrower than <see cref="LeastStrips"/>. Few rows are cut
    /// lower, which costs one thread some 2 % of such a product and gives two threads even shares.
    /// </summary>
    private const int WantedItems = 16;
    private const int FewRows = 288;
    private const int LeastRows = 36, LeastOfFewRows = 18;
    private const int LeastStrips = 24;

    /// <param name="product">The product.</param>
    /// <param name="steps">Its depth in steps of a tile.</param>
    /// <param name="stepUnit">Blocks of depth are a multiple of so many.</param>
    /// <param name="readsInPlace">Whether tiles may read operands where they lie.</param>
    /// <param name="rowUnit">Blocks of rows are a multiple of so many, and of a tile's.</param>
    /// <param name="elementBytes">Bytes of an element, and of a step of a line.</param>
    /// <param name="tileRows">Rows of a tile.</param>
    /// <param name="tileColumns">Columns of a tile, and of a strip.</param>
    /// <param name="isAlone">Whether one thread computes all of it, so that no item is cut smaller for others.</param>
    public BlockPlan(in Product product, int steps, int stepUnit, bool readsInPlace, int rowUnit, int elementBytes, int tileRows, int tileColumns, bool isAlone)
    {
        int depthBlocks = Ceiling(steps, Math.Min(MaxDepth, StripBytes / (tileColumns * elementBytes)));
        DepthBlock = Ceiling(Ceiling(steps, depthBlocks), stepUnit) * stepUnit;
        int wanted = isAlone ? 1 : Math.Clamp(product.Rows / (product.Rows < FewRows ? LeastOfFewRows : LeastRows), 1, WantedItems);
        int blocks = Math.Max(Ceiling(product.Rows, MaxRows), wanted);
        int unit = Math.Max(tileRows, rowUnit);
        RowBlock = Ceiling(Ceiling(product.Rows, blocks), unit) * unit;
        blocks = Ceiling(product.Rows, RowBlock);

        PacksB = !readsInPlace || product.IsStored || product.BColumn != elementBytes || (product.Rows > tileRows && DepthBlock * product.BStep > DirectBytes);
        bool isNarrow = product.Columns < WideColumns;
        bool readsA = product.AStep == elementBytes
            ? isNarrow || tileColumns * elementBytes >= WideStripBytes
            : isNarrow && product.ARow == elementBytes && product.AStep % CacheWayBytes != 0;
        PacksA = !readsInPlace || !readsA;
        int strips = Ceiling(product.Columns, tileColumns);
        DepthSpan = steps;
        if (PacksB)
        {
            strips = Ceiling(strips, Ceiling(strips, MaxColumns / tileColumns));
            long atOnce = Math.Max(1, MaxPackedElements / ((long)strips * tileColumns * DepthBlock));
            DepthSpan = (int)Math.Min(steps, atOnce * DepthBlock);
        }

        ColumnSpan = strips * tileColumns;
        // Each chunk of columns packs a again, which costs little where it is one block.
        int chunks = isAlone ? 1 : Math.Clamp(WantedItems / blocks, 1, Math.Max(1, strips / (blocks == 1 ? 4 : LeastStrips)));
        ChunkStrips = Ceiling(strips, chunks);
    }

    /// <summary>False where whole panels of a are read where they lie: their k or their rows are adjacent, and packing would not pay.</summary>
    public bool PacksA { get; }

    /// <summary>False where packing would not pay, with one panel of rows or a small b: then whole strips of b are read where they lie.</summary>
    public bool PacksB { get; }

    /// <summary>Depth of one pass of the micro-kernel; this and all depths are in steps of it.</summary>
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
