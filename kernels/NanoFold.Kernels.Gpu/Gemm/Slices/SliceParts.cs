using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Slices;

/// <summary>
/// Which part of a tile's depth a block has, and where the sums of all parts of the tile lie: in places that are numbered, each as large as the tile in float.
/// </summary>
/// <param name="Tile">Number of the tile.</param>
/// <param name="Count">Parts that the tile has.</param>
/// <param name="First">Place of the tile's first part.</param>
/// <param name="Own">Place of this one.</param>
/// <param name="Step">Places from a part to the next.</param>
/// <param name="FirstStep">The same from the first part to the second.</param>
internal readonly record struct SliceParts(Reg Tile, Reg Count, Reg First, Reg Own, int Step, int FirstStep)
{
    /// <summary>The part may be the whole tile.</summary>
    public bool MayBeAlone { get; init; }

    /// <summary>Every tile has the same number of slices; their places follow one another.</summary>
    public static SliceParts OfSlices(PtxWriter w, Reg tile, Reg slice, Reg slices)
    {
        Reg first = w.Mul(tile, slices);
        return new SliceParts(tile, slices, first, w.Add(first, slice), 1, 1);
    }
}
