using System.Numerics;
using NanoFold.Kernels.Gpu.Loops;
using TwoPieces = NanoFold.Kernels.Gpu.Loops.RegisterTile<NanoFold.Kernels.Gpu.Loops.RegisterPiece, NanoFold.Kernels.Gpu.Loops.RegisterPiece>;

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
        int pieces = AlignedPiece.Count(width);
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

    /// <summary>Whether lanes have their pieces in neighboring pairs, each of one load: for rows of 16-bit elements that are multiples of eight, and begin at such.</summary>
    public bool IsWide { get; init; }

    /// <summary>Whether all of a row is in registers.</summary>
    public bool Holds(int width) => AlignedPiece.Count(width) <= Lanes * Pieces;

    /// <summary>Runs the kernel that is compiled for this split.</summary>
    public void Run<TLaunch>(in TLaunch launch)
        where TLaunch : struct, INormLaunch
    {
        if (!_hasWarps)
        {
            launch.Run<SharedSum, TwoPieces>(this);
            return;
        }

        if (IsWide && Pieces % 2 == 0)
        {
            RunWide(launch);
            return;
        }

        switch (Pieces)
        {
            case 1:
                launch.Run<WarpSum, RegisterPiece>(this);
                break;
            case 2:
                launch.Run<WarpSum, TwoPieces>(this);
                break;
            case 3:
                launch.Run<WarpSum, RegisterTile<TwoPieces, RegisterPiece>>(this);
                break;
            case 4:
                launch.Run<WarpSum, RegisterTile<TwoPieces, TwoPieces>>(this);
                break;
            case 6:
                launch.Run<WarpSum, RegisterTile<RegisterTile<TwoPieces, TwoPieces>, TwoPieces>>(this);
                break;
            default:
                launch.Run<WarpSum, RegisterTile<RegisterTile<TwoPieces, TwoPieces>, RegisterTile<TwoPieces, TwoPieces>>>(this);
                break;
        }
    }

    private void RunWide<TLaunch>(in TLaunch launch)
        where TLaunch : struct, INormLaunch
    {
        switch (Pieces)
        {
            case 2:
                launch.Run<WarpSum, WidePieces>(this);
                break;
            case 4:
                launch.Run<WarpSum, RegisterTile<WidePieces, WidePieces>>(this);
                break;
            case 6:
                launch.Run<WarpSum, RegisterTile<RegisterTile<WidePieces, WidePieces>, WidePieces>>(this);
                break;
            default:
                launch.Run<WarpSum, RegisterTile<RegisterTile<WidePieces, WidePieces>, RegisterTile<WidePieces, WidePieces>>>(this);
                break;
        }
    }

    private static int RoundUp(int value) => (int)BitOperations.RoundUpToPowerOf2((uint)value);
}

/// <summary>A norm's pass that is about to run: how its rows are shared out is all that is open.</summary>
internal interface INormLaunch
{
    /// <summary>Runs the kernel that adds up by <typeparamref name="TSum"/> and has <typeparamref name="TTile"/> of a row a lane.</summary>
    void Run<TSum, TTile>(in NormSplit split)
        where TSum : struct, ILaneSum
        where TTile : struct, IRegisterTile<TTile>;
}

/// <summary>Groups of a norm's backward pass, each with partial sums: enough to fill the device, and no more than needed for that.</summary>
internal static class NormGroups
{
    /// <summary>Pieces of a lane at most: besides a row there are its gradient and the sums.</summary>
    public const int MostPieces = 6;

    /// <summary>Groups at most where devices do not say how many run together.</summary>
    private const int Most = 512;

    /// <summary>As above, on a processor, where a group is one thread.</summary>
    private const int MostOnProcessor = 64;

    /// <summary>Rows of a run of lanes at least where a group's sums cost barriers.</summary>
    private const int LeastRows = 4;

    public static NormSplit Split(GpuContext context, int width) => new(context, width, MostPieces);

    public static int RowsPerGroup(GpuContext context, long rows, int width, bool isCentered)
    {
        NormSplit split = Split(context, width);
        int runs = context.GroupSize / split.Lanes;
        // As many as the registers of a multiprocessor let run together, so that all end at the same time.
        int most = context.HasWarps ? context.Accelerator.NumMultiprocessors * Math.Clamp((isCentered ? 6 : 9) / split.Pieces, 2, 4) : context.IsProcessor ? MostOnProcessor : Most;
        return checked((int)(runs * Math.Max(context.HasWarps ? 1 : LeastRows, Groups(rows, runs * most))));
    }

    public static int Groups(GpuContext context, long rows, int width, bool isCentered)
        => checked((int)Groups(rows, RowsPerGroup(context, rows, width, isCentered)));

    /// <summary>Groups of either kind of norm at most.</summary>
    public static int MostGroups(GpuContext context, long rows, int width)
        => Math.Max(Groups(context, rows, width, isCentered: false), Groups(context, rows, width, isCentered: true));

    private static long Groups(long rows, int rowsPerGroup) => (rows + rowsPerGroup - 1) / rowsPerGroup;
}

/// <summary>Which norm a kernel is compiled for.</summary>
internal interface INormKind
{
    /// <summary>Whether a row's mean is taken off, as LayerNorm does.</summary>
    static abstract bool IsCentered { get; }
}

/// <summary>RMSNorm: one number of statistics a row.</summary>
internal readonly struct RmsKind : INormKind
{
    public static bool IsCentered => false;
}

/// <summary>LayerNorm: a row's mean and the inverse of its deviation are its statistics.</summary>
internal readonly struct LayerKind : INormKind
{
    public static bool IsCentered => true;
}
