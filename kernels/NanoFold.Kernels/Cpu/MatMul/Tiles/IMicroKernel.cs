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

    /// <summary>Tiles of <paramref name="rows"/> (as from <see cref="PanelRows"/>) rows one below the other, half as many columns if <paramref name="narrow"/>; see <see cref="ITile.Run"/>.</summary>
    static abstract void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aRow, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel;
}
