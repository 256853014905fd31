using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

internal enum FlashPass
{
    Forward,
    QueryGradient,
    KeyGradient,
}

/// <summary>Which kernel.</summary>
/// <param name="Pass">What it computes.</param>
/// <param name="Type">Of 16 bits.</param>
/// <param name="Depth">Padded head dimension: 32, 64 or 128.</param>
/// <param name="HasPrefix">Whether keys ahead of a query may be seen; otherwise attention is causal.</param>
/// <param name="Documents">Whether documents are compared.</param>
/// <param name="RowTiles">Tiles of 16 rows (queries, or keys in <see cref="FlashPass.KeyGradient"/>) that a warp owns.</param>
/// <param name="Columns">Keys (or queries) of a step.</param>
/// <param name="KeepsRows">Fragments of the own rows stay in registers; otherwise each step loads them again.</param>
internal readonly record struct FlashSpec(FlashPass Pass, GpuType Type, int Depth, bool HasPrefix, bool Documents, int RowTiles, int Columns, bool KeepsRows)
{
    public const int MostDepth = 128;

    public const int Warps = 4;

    public const int Threads = 32 * Warps;

    public int WarpRows => 16 * RowTiles;

    /// <summary>Rows of a block.</summary>
    public int Rows => WarpRows * Warps;

    public string Name => $"flash_{Pass}_{Type}_{Depth}{(HasPrefix ? "_prefix" : "")}{(Documents ? "_documents" : "")}".ToLowerInvariant();

    /// <summary>
    /// The kernel for a head dimension. Two tiles of rows a warp halve what is read of shared memory, which bounds one; they are taken where registers allow.
    /// </summary>
    public static FlashSpec Of(FlashPass pass, GpuType type, int headDim, bool hasPrefix, bool documents)
    {
        int depth = headDim <= 32 ? 32 : headDim <= 64 ? 64 : MostDepth;
        // Masks that need more registers.
        bool isWide = hasPrefix || documents;
        (int rowTiles, int columns, bool keeps) = (pass, depth) switch
        {
            (FlashPass.Forward, 32) => (2, 64, false),
            (FlashPass.Forward, 64) => (2, 64, true),
            (FlashPass.Forward, _) => isWide ? (1, 64, false) : (2, 48, false),
            (FlashPass.QueryGradient, MostDepth) => isWide ? (1, 64, true) : (2, 32, false),
            (FlashPass.QueryGradient, _) => (2, 32, true),
            (FlashPass.KeyGradient, MostDepth) => (1, 32, true),
            (FlashPass.KeyGradient, 64) when isWide => (1, 64, true),
            _ => (2, 32, false),
        };
        return new FlashSpec(pass, type, depth, hasPrefix, documents, rowTiles, columns, keeps);
    }

    public PtxProgram Write() => Pass switch
    {
        FlashPass.Forward => FlashForward.Write(this),
        FlashPass.QueryGradient => FlashQueryGradient.Write(this),
        _ => FlashKeyGradient.Write(this),
    };
}
