using NanoFold.Kernels.Cpu.Attention.Blocks;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>
/// Products inside a chunk, in tiles of 6 rows by one or two lanes. What is triangular costs what lies below the diagonal, up to the edge of a tile.
/// Distances in elements.
/// </summary>
/// <param name="ahead">Asked for more at each strip of tiles.</param>
internal readonly unsafe struct ChunkProducts(FetchAhead* ahead)
{
    /// <summary>Rows of a tile; buffers of places have a multiple of it, the last ones 0.</summary>
    public const int Rows = Tiles.Rows;

    /// <summary><paramref name="count"/> rounded up to whole tiles.</summary>
    public static int Padded(int count) => (count + Rows - 1) / Rows * Rows;

    /// <summary>C (+)= A · B.</summary>
    public void Full<V>(in Left a, int rows, int depth, in Right b, int lanes, void* c, nint cRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        for (int r = 0; r < rows; r += Rows)
        {
            Strip<V>(a.From<V>(r, 0), Math.Min(Rows, rows - r), depth, b, lanes, Element.At<V>(c, r * cRow), cRow, accumulate);
        }
    }

    /// <summary>The part s ≤ t of C[t, s] = A · B, and what else lies in its lanes.</summary>
    public void Lower<V>(in Left a, int rows, int depth, in Right b, void* c, nint cRow)
        where V : struct, ICpuLane<V>
    {
        for (int r = 0; r < rows; r += Rows)
        {
            int count = Math.Min(Rows, rows - r);
            int lanes = Math.Min((r + count + V.Width - 1) / V.Width, b.Lanes);
            Strip<V>(a.From<V>(r, 0), count, depth, b, lanes, Element.At<V>(c, r * cRow), cRow, accumulate: false);
        }
    }

    /// <summary>C (+)= A · B where A[t, s] is 0 for s &gt; t.</summary>
    public void OfLower<V>(in Left a, int rows, in Right b, int lanes, void* c, nint cRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        for (int r = 0; r < rows; r += Rows)
        {
            int count = Math.Min(Rows, rows - r);
            Strip<V>(a.From<V>(r, 0), count, r + count, b, lanes, Element.At<V>(c, r * cRow), cRow, accumulate);
        }
    }

    /// <summary>C (+)= Aᵀ · B where A[t, s] is 0 for s &gt; t.</summary>
    public void OfLowerTransposed<V>(void* a, nint aRow, int rows, in Right b, int lanes, void* c, nint cRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        Left transposed = new(a, 1, aRow);
        for (int r = 0; r < rows; r += Rows)
        {
            int count = Math.Min(Rows, rows - r);
            Strip<V>(transposed.From<V>(r, r), count, rows - r, b.From<V>(r), lanes, Element.At<V>(c, r * cRow), cRow, accumulate);
        }
    }

    /// <summary>Up to 6 rows by all lanes.</summary>
    public void Strip<V>(in Left a, int rows, int depth, in Right b, int lanes, void* c, nint cRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        ahead->Next(depth * lanes);
        nint size = Element.Size<V>();
        var run = new TileRun
        {
            A = (byte*)a.Start,
            ARow = a.Row * size,
            AStep = a.Step * size,
            B = (byte*)b.Start,
            BStep = b.Row * size,
            BNext = b.Next * size,
            C = (byte*)c,
            CRow = cRow * size,
            CNext = 2 * V.Width * size,
            Rows = rows,
            Count = depth,
            Tiles = lanes / 2,
            From = accumulate ? (byte*)c : null,
            FromRow = cRow * size,
        };
        if (run.Tiles > 0)
        {
            Tiles.Run<V>(run, 2 * V.Width);
        }

        if (lanes % 2 > 0)
        {
            run.B += run.Tiles * run.BNext;
            run.C += run.Tiles * run.CNext;
            run.From = accumulate ? run.C : null;
            run.BStep = (lanes == b.Lanes ? b.LastRow : b.Row) * size;
            run.Tiles = 1;
            Tiles.Run<V>(run, V.Width);
        }
    }
}

/// <summary>The left factor of a product: element (r, k) lies at r · Row + k · Step.</summary>
internal readonly unsafe struct Left(void* start, nint row, nint step = 1)
{
    public void* Start { get; } = start;

    public nint Row { get; } = row;

    public nint Step { get; } = step;

    public Left From<V>(int r, int k)
        where V : struct, ICpuLane<V>
        => new(Element.At<V>(Start, (r * Row) + (k * Step)), Row, Step);
}

/// <summary>The right factor of a product, its columns in lanes: rows as they lie, or panels of two lanes as <see cref="BlockPacking"/> writes them.</summary>
internal readonly unsafe struct Right
{
    private Right(void* start, nint row, nint next, nint lastRow, int lanes)
    {
        Start = start;
        Row = row;
        Next = next;
        LastRow = lastRow;
        Lanes = lanes;
    }

    public void* Start { get; }

    /// <summary>From one row to the next.</summary>
    public nint Row { get; }

    /// <summary>From one pair of lanes to the next.</summary>
    public nint Next { get; }

    /// <summary>From one row to the next of a last single lane.</summary>
    public nint LastRow { get; }

    /// <summary>Lanes of all columns.</summary>
    public int Lanes { get; }

    public static Right InRows<V>(void* start, nint row)
        where V : struct, ICpuLane<V>
        => new(start, row, 2 * V.Width, row, (int)row / V.Width);

    /// <param name="start">Where the panels lie.</param>
    /// <param name="depth">Rows of a panel.</param>
    /// <param name="lanes">Lanes of all columns; a last single one has a panel of one lane.</param>
    public static Right InPanels<V>(void* start, int depth, int lanes)
        where V : struct, ICpuLane<V>
        => new(start, 2 * V.Width, 2 * V.Width * depth, lanes % 2 > 0 ? V.Width : 2 * V.Width, lanes);

    /// <summary>Without the first rows; of a factor in rows only.</summary>
    public Right From<V>(int row)
        where V : struct, ICpuLane<V>
        => new(Element.At<V>(Start, row * Row), Row, Next, LastRow, Lanes);
}
