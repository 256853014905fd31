namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Tiles of one height with the smaller ones for what is left at the edges, for one lane and element type.</summary>
internal unsafe interface IMicroKernel<T>
    where T : unmanaged
{
    /// <summary>Rows of the full tile.</summary>
    static abstract int Rows { get; }

    /// <summary>Columns of the full tile: the width of a strip of packed b.</summary>
    static abstract int Columns { get; }

    /// <summary>Columns of the narrow tile.</summary>
    static abstract int NarrowColumns { get; }

    /// <summary>Rows of the tile to take when <paramref name="left"/> rows are left, so that few are wasted.</summary>
    static abstract int PanelRows(int left);

    /// <summary>One tile of <paramref name="rows"/> (as from <see cref="PanelRows"/>) rows; see <see cref="ITile.Run{V}"/>.</summary>
    static abstract void Run(int rows, bool narrow, nint depth, byte* a, nint aRow, nint aStep, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate);
}
