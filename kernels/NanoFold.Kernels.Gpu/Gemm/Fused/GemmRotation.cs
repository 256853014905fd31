namespace NanoFold.Kernels.Gpu.Gemm.Fused;

/// <summary>Rotary positions that are applied where a product ends: the first columns are heads, of each of which the first elements are turned.</summary>
/// <param name="HeadDim">Elements of a head.</param>
/// <param name="Width">Of them so many are turned.</param>
/// <param name="IsInterleaved">Pairs (2i, 2i + 1) in place of (i, i + Width / 2).</param>
/// <param name="HasPositions">Rows of a batch begin at positions that lie in memory, not at 0.</param>
internal readonly record struct GemmRotation(int HeadDim, int Width, bool IsInterleaved, bool HasPositions)
{
    /// <summary>Whether stores of <paramref name="count"/> columns are wholly of one half of a head's turned elements, or of none.</summary>
    public bool IsWhole(int count) => HeadDim % count == 0 && Width % count == 0 && (IsInterleaved || Width / 2 % count == 0);

    /// <summary>Whether each pair of columns is in the sums of one warp.</summary>
    public bool Fits(GemmTile tile) => IsInterleaved || tile.WarpN % HeadDim == 0;

    public override string ToString() => $"{Width} of {HeadDim} turned{(IsInterleaved ? " interleaved" : "")}{(HasPositions ? " from positions" : "")}";
}
