using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

internal enum FlashPass
{
    Forward,
    QueryGradient,
    KeyGradient,
}

/// <summary>Which kernel: the pass, the type, the padded head dimension (32, 64 or 128), and whether documents are compared.</summary>
internal readonly record struct FlashSpec(FlashPass Pass, GpuType Type, int Depth, bool Documents)
{
    public const int MostDepth = 128;

    public const int Warps = 4;

    public const int Threads = 32 * Warps;

    /// <summary>The tile that a head dimension runs in.</summary>
    public static int Padded(int depth) => depth <= 32 ? 32 : depth <= 64 ? 64 : MostDepth;

    /// <summary>Tiles of 16 rows (queries, or keys in <see cref="FlashPass.KeyGradient"/>) that a warp owns.</summary>
    public int RowTiles => Pass switch
    {
        FlashPass.Forward => 2,
        FlashPass.QueryGradient => Depth == MostDepth ? 1 : 2,
        _ => 1,
    };

    /// <summary>Keys (or queries) of a step.</summary>
    public int Columns => Pass switch
    {
        FlashPass.Forward => 64,
        FlashPass.QueryGradient => Depth == MostDepth ? 64 : 32,
        _ => 64,
    };

    /// <summary>Fragments of the own rows stay in registers; otherwise each step loads them again.</summary>
    public bool KeepsRows => Depth < MostDepth;

    public int WarpRows => 16 * RowTiles;

    /// <summary>Rows of a block.</summary>
    public int Rows => WarpRows * Warps;

    public string Name => $"flash_{Pass}_{Type}_{Depth}{(Documents ? "_documents" : "")}".ToLowerInvariant();

    public PtxProgram Write() => Pass switch
    {
        FlashPass.Forward => FlashForward.Write(this),
        FlashPass.QueryGradient => FlashQueryGradient.Write(this),
        _ => FlashKeyGradient.Write(this),
    };
}
