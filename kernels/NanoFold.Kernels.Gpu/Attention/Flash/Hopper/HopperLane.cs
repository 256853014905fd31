using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>Where a thread that computes in the backward pass is: its warpgroup, its warp in that, its lane 4g + t.</summary>
internal sealed class HopperLane
{
    public HopperLane(PtxWriter w, HopperKeys block)
    {
        Group = w.Sub(w.Shr(block.Thread, 7), 1);
        Warp = w.And(w.Shr(block.Thread, 5), 3);
        Lane = w.And(block.Thread, 31);
        Row = w.Shr(Lane, 2);
        Column = w.Shl(w.And(Lane, 3), 1);
        GroupKey = w.Mad(Group, HopperGradientSpec.GroupKeys, block.First);
        WarpKey = w.Mad(Warp, 16, GroupKey);

        // Of rows of 128 bytes, the lane's of the matrices that stmatrix stores, and the first of its chunks in each 16 columns.
        Reg row = w.Mul(w.Mad(Group, HopperGradientSpec.GroupKeys, w.Mad(Warp, 16, w.And(Lane, 15))), PtxWgmma.RowBytes), half = w.Shr(Lane, 4), inEight = w.And(Lane, 7);
        Chunks = [.. Enumerable.Range(0, 4).Select(i => w.Mad(w.Xor(w.Add(half, 2 * i), inEight), 16, row))];
    }

    public Reg Group { get; }

    public Reg Warp { get; }

    public Reg Lane { get; }

    /// <summary>g.</summary>
    public Reg Row { get; }

    /// <summary>2t.</summary>
    public Reg Column { get; }

    /// <summary>First key of the warpgroup.</summary>
    public Reg GroupKey { get; }

    /// <summary>First key of the warp.</summary>
    public Reg WarpKey { get; }

    /// <summary>Where <see cref="PtxHopper.StoreMatrix"/> stores columns 16i and on of the warp's keys in a panel.</summary>
    public IReadOnlyList<Reg> Chunks { get; }
}
