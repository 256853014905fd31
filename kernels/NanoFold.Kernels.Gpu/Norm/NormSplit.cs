using System.Numerics;
using NanoFold.Kernels.Gpu.Loops;
using Pieces2 = NanoFold.Kernels.Gpu.Loops.MorePieces<NanoFold.Kernels.Gpu.Loops.OnePiece, NanoFold.Kernels.Gpu.Loops.OnePiece>;

namespace NanoFold.Kernels.Gpu.Norm;

/// <summary>How a norm's rows are shared out: where threads exchange values a warp to a row, or as few warps as hold one; elsewhere as many threads as have two pieces each.</summary>
internal readonly record struct NormSplit
{
    private const int SharedPieces = 2;

    private readonly bool _hasWarps;

    /// <param name="context">Of the device.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="most">Pieces of a lane at most where they are exchanged within warps: 8, or less where more than the row takes registers.</param>
    public NormSplit(GpuContext context, int width, int most)
        : this(context.HasWarps, context.GroupSize, width, most)
    {
    }

    /// <inheritdoc cref="NormSplit(GpuContext, int, int)"/>
    public NormSplit(bool hasWarps, int groupSize, int width, int most)
    {
        _hasWarps = hasWarps;
        int pieces = WholePiece.Count(width);
        if (!hasWarps)
        {
            Lanes = Math.Min(RoundUp((pieces + SharedPieces - 1) / SharedPieces), groupSize);
            Pieces = SharedPieces;
            return;
        }

        Lanes = Math.Min(RoundUp(pieces), WarpSum.Lanes);
        while (Lanes * most < pieces && Lanes < groupSize)
        {
            Lanes *= 2;
        }

        // 5 and 7 are rounded up, so that there are fewer kernels.
        int each = Math.Min((pieces + Lanes - 1) / Lanes, most);
        Pieces = each is 5 or 7 ? each + 1 : each;
    }

    /// <summary>Threads that have a row together, a power of two.</summary>
    public int Lanes { get; }

    /// <summary>The logarithm of <see cref="Lanes"/>.</summary>
    public int LaneBits => BitOperations.Log2((uint)Lanes);

    /// <summary>Pieces that each of them keeps in registers.</summary>
    public int Pieces { get; }

    /// <summary>Whether all of a row is in registers.</summary>
    public bool Holds(int width) => WholePiece.Count(width) <= Lanes * Pieces;

    /// <summary>Runs the kernel that is compiled for this split.</summary>
    public void Run<TLaunch>(in TLaunch launch)
        where TLaunch : struct, INormLaunch
    {
        if (!_hasWarps)
        {
            launch.Run<SharedSum, Pieces2>(this);
            return;
        }

        switch (Pieces)
        {
            case 1:
                launch.Run<WarpSum, OnePiece>(this);
                break;
            case 2:
                launch.Run<WarpSum, Pieces2>(this);
                break;
            case 3:
                launch.Run<WarpSum, MorePieces<Pieces2, OnePiece>>(this);
                break;
            case 4:
                launch.Run<WarpSum, MorePieces<Pieces2, Pieces2>>(this);
                break;
            case 6:
                launch.Run<WarpSum, MorePieces<MorePieces<Pieces2, Pieces2>, Pieces2>>(this);
                break;
            default:
                launch.Run<WarpSum, MorePieces<MorePieces<Pieces2, Pieces2>, MorePieces<Pieces2, Pieces2>>>(this);
                break;
        }
    }

    private static int RoundUp(int value) => (int)BitOperations.RoundUpToPowerOf2((uint)value);
}
