using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

internal enum FlashPass
{
    Forward,
    QueryGradient,
    KeyGradient,

    /// <summary>Both gradients in one kernel.</summary>
    Gradients,
}

/// <summary>Which kernel.</summary>
/// <param name="Pass">What it computes.</param>
/// <param name="Type">Of 16 bits.</param>
/// <param name="Depth">Padded head dimension: 32, 64 or 128.</param>
/// <param name="HasPrefix">Whether keys ahead of a query may be seen; otherwise attention is causal.</param>
/// <param name="Documents">Whether documents are compared.</param>
/// <param name="RowTiles">Tiles of 16 rows (queries, or keys where they are a block's rows) that a warp owns.</param>
/// <param name="Columns">Keys (or queries) of a step.</param>
/// <param name="Kept">Of the own rows' tensors (q; q and dy; k and v) the first so many stay in registers as fragments; those of others are loaded again in each step.</param>
internal readonly record struct FlashSpec(FlashPass Pass, GpuType Type, int Depth, bool HasPrefix, bool Documents, int RowTiles, int Columns, int Kept)
{
    public const int MostDepth = 128;

    public const int Warps = 4;

    /// <summary>Queries of a step of <see cref="FlashPass.Gradients"/>.</summary>
    public const int QueriesTogether = 32;

    public const int Threads = 32 * Warps;

    /// <summary>By which gradients of queries and keys are turned back; none in other passes.</summary>
    public FlashRotation? Rotation { get; init; }

    /// <summary>It may be started while the kernel before it still runs: see <see cref="PtxWriter.StartsEarly"/>.</summary>
    public bool StartsEarly { get; init; }

    public int WarpRows => 16 * RowTiles;

    /// <summary>Rows of a block.</summary>
    public int Rows => WarpRows * Warps;

    public string Name => $"flash_{Pass}_{Type}_{Depth}{(HasPrefix ? "_prefix" : "")}{(Documents ? "_documents" : "")}{(Rotation is null ? "" : $"_turned_{Rotation}")}".ToLowerInvariant();

    /// <summary>
    /// The kernel for a head dimension. Two tiles of rows a warp halve what is read of shared memory, which bounds one; they are taken where registers allow.
    /// </summary>
    public static FlashSpec Of(FlashPass pass, GpuType type, int headDim, bool hasPrefix, bool documents)
    {
        int depth = Padded(headDim);
        // Masks that need more registers.
        bool isWide = hasPrefix || documents;
        (int rowTiles, int columns, int kept) = (pass, depth) switch
        {
            (FlashPass.Forward, 32) => (2, 64, 0),
            (FlashPass.Forward, 64) => (2, 64, 1),
            (FlashPass.Forward, _) => isWide ? (1, 64, 0) : (2, 48, 0),
            (FlashPass.QueryGradient, MostDepth) => isWide ? (1, 64, documents ? 1 : 2) : (2, 32, 0),
            (FlashPass.QueryGradient, 64) => (2, 32, documents ? 1 : 2),
            (FlashPass.QueryGradient, _) => (2, 32, 2),
            (FlashPass.Gradients, MostDepth) => (1, QueriesTogether, 0),
            (FlashPass.Gradients, _) => (2, QueriesTogether, 0),
            (FlashPass.KeyGradient, MostDepth) => (1, 32, 0),
            (FlashPass.KeyGradient, 64) when isWide => (1, 64, 2),
            _ => (2, 32, 0),
        };
        return new FlashSpec(pass, type, depth, hasPrefix, documents, rowTiles, columns, kept);
    }

    /// <summary>The head dimension of the kernel that takes one.</summary>
    public static int Padded(int headDim) => headDim <= 32 ? 32 : headDim <= 64 ? 64 : MostDepth;

    public PtxProgram Write() => Pass switch
    {
        FlashPass.Forward => FlashForward.Write(this),
        FlashPass.QueryGradient => FlashQueryGradient.Write(this),
        FlashPass.Gradients => FlashGradients.Write(this),
        _ => FlashKeyGradient.Write(this),
    };
}
