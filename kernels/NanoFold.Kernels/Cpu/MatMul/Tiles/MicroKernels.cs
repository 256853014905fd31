namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>Tiles of one height with the smaller ones for what is left at the edges, for one vector and element type.</summary>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of the full tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the full tile: the width of a strip of packed b.</summary>
    static abstract int Columns { get; }

    /// <summary>Rows of the tile to take when <paramref name="left"/> rows are left, so that few are wasted.</summary>
    static abstract int PanelRows(int left);

    /// <summary>Tiles of <paramref name="rows"/> (as from <see cref="PanelRows"/>) rows one below the other, half as many columns if <paramref name="narrow"/>; see <see cref="Tile"/>.</summary>
    static abstract void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel;
}

/// <summary>6 rows by 2 vectors, with 4 rows and 1 vector at the edges: for machines of 16 vector registers or two FMA units.</summary>
internal readonly unsafe struct SixRowKernel<O, V> : IMicroKernel
    where O : struct, IVectorOps<V>
    where V : struct
{
    public static int Rows => 6;

    public static int Columns => 2 * O.Bytes / O.ElementBytes;

    /// <summary>6, but 4 for the last 1 to 4, 7 and 8 rows: so at most one row is wasted where at least 2 are left.</summary>
    public static int PanelRows(int left) => left is <= 4 or 7 or 8 ? 4 : 6;

    public static void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel
        => Tile.Run<Tile6x2<O, V>, Tile6x1<O, V>, O, V, P>(rows, narrow, panels, depth, a, aStride, b, bStep, y, yRow, alpha, accumulate);
}

/// <summary>8 rows by 2 vectors, with 4 rows and 1 vector at the edges: for the 32 registers of 64-bit Arm.</summary>
internal readonly unsafe struct EightRowKernel<O, V> : IMicroKernel
    where O : struct, IVectorOps<V>
    where V : struct
{
    public static int Rows => 8;

    public static int Columns => 2 * O.Bytes / O.ElementBytes;

    public static int PanelRows(int left) => left <= 4 ? 4 : 8;

    public static void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel
        => Tile.Run<Tile8x2<O, V>, Tile8x1<O, V>, O, V, P>(rows, narrow, panels, depth, a, aStride, b, bStep, y, yRow, alpha, accumulate);
}
