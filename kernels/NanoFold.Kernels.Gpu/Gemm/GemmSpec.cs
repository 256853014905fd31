using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Gemm.Slices;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>How the blocks along grid z, and the rows, are to be understood.</summary>
internal enum GemmMode
{
    /// <summary>z is the product of a batch.</summary>
    Batch,

    /// <summary>z is a slice of the depth; y holds each slice's plain sums.</summary>
    SplitDepth,

    /// <summary>Rows of a and y are sorted by group, b has one matrix a group.</summary>
    RowGroups,

    /// <summary>z is the group, whose rows of a and b are the depth.</summary>
    DepthGroups,

    /// <summary>z is a slice of the depth (where blocks go on from tile to tile, slices are counted with the tiles); the last block of a tile adds all slices and stores y.</summary>
    SumSlices,
}

/// <summary>All that a kernel's text depends on, besides its tile: one kernel for each value that occurs.</summary>
internal readonly record struct GemmSpec
{
    public required GpuType Input { get; init; }

    public required GpuType Output { get; init; }

    public GemmMode Mode { get; init; }

    /// <summary>a is stored [K, M], rows of it contiguous (else [M, K]).</summary>
    public bool ColumnsA { get; init; }

    /// <summary>b is stored [N, K], rows of it contiguous (else [K, N]).</summary>
    public bool ColumnsB { get; init; }

    /// <summary>Bytes that addresses in a and b are multiples of: 16, 4 or 2.</summary>
    public required int AlignA { get; init; }

    public required int AlignB { get; init; }

    /// <summary>K is not a multiple of 16 bytes' elements and an operand is contiguous along it.</summary>
    public bool RaggedDepth { get; init; }

    /// <summary>Rows of y (and of the residual) are multiples of 16 bytes apart and begin at one.</summary>
    public bool WideY { get; init; }

    public bool Accumulate { get; init; }

    public GpuType? Bias { get; init; }

    public GpuType? Residual { get; init; }

    /// <summary>A formula that is applied to the sums.</summary>
    public GemmGate? Gate { get; init; }

    /// <summary>Rotary positions of heads that the first columns are; of rows in whole stores.</summary>
    public GemmRotation? Rotation { get; init; }

    /// <summary>Whether of rows the largest results and sums of exponentials are left beside them: see <see cref="GemmRowSums"/>.</summary>
    public bool SumsRows { get; init; }

    /// <summary>Whether more is done to the sums than a product does.</summary>
    public bool IsFused => Gate is not null || Rotation is not null || SumsRows;

    /// <summary>Whether the two halves of b's columns meet in each tile: a gate and what it multiplies.</summary>
    public bool HasPairs => Gate is { IsGradient: false };

    /// <summary>Whether an operand is contiguous along the depth.</summary>
    public bool IsDepthContiguous(bool ofA) => ofA ? !ColumnsA : ColumnsB;
}

/// <summary>
/// Cut of a product: a block of <see cref="M"/> × <see cref="N"/> sums, of which a warp has <see cref="WarpM"/> × <see cref="WarpN"/>,
/// goes through the depth in steps of <see cref="DepthBytes"/>, of which <see cref="Stages"/> are in shared memory.
/// <see cref="Blocks"/> of them shall fit in a multiprocessor.
/// </summary>
internal readonly record struct GemmTile(int M, int N, int WarpM, int WarpN, int DepthBytes, int Stages, int Blocks)
{
    /// <summary>Blocks beneath one another that start together, of which each loads a part of b for all (<see cref="GemmFamily.Wgmma"/>). Chosen only where it was measured.</summary>
    public int Cluster { get; init; } = 1;

    /// <summary>Blocks have equal shares of the steps of all tiles' depths (<see cref="StreamDepth"/>), not whole tiles (<see cref="GemmFamily.Wgmma"/>). Chosen only where it was measured.</summary>
    public bool IsStream { get; init; }

    public int Threads => 32 * (M / WarpM) * (N / WarpN);

    /// <summary>Of one stage: the tiles of a and b.</summary>
    public int StageBytes => (M + N) * DepthBytes;

    public override string ToString() => $"{M}x{N}x{DepthBytes} {WarpM}x{WarpN} s{Stages} b{Blocks}{(Cluster > 1 ? $" c{Cluster}" : "")}{(IsStream ? " stream" : "")}";
}

/// <summary>Families of kernels for products.</summary>
internal enum GemmFamily
{
    /// <summary>Tensor cores.</summary>
    Mma,

    /// <summary>Tensor cores, by warpgroups: compute capability 9.0 only.</summary>
    Wgmma,

    /// <summary>Multiply-adds in float.</summary>
    Simt,

    /// <summary>Multiply-adds in float, a warp a few columns: for few rows.</summary>
    FewRows,

    /// <summary>Adds the slices of a split depth and does what is left.</summary>
    Reduce,
}

/// <summary>One kernel: its family, what it computes, its tile.</summary>
internal readonly record struct GemmKernelKey(GemmFamily Family, GemmSpec Spec, GemmTile Tile)
{
    /// <summary>For people, as in <c>Mma(BFloat16, nt, 128x128x64 64x64 s4 b2)</c>.</summary>
    public string Name => Family == GemmFamily.Reduce
        ? $"{Family}({Spec.Output})"
        : $"{Family}({Spec.Input}, {(Spec.ColumnsA ? 't' : 'n')}{(Spec.ColumnsB ? 't' : 'n')}{(Spec.Mode == GemmMode.Batch ? "" : $", {Spec.Mode}")}{(Spec.Gate is null ? "" : $", {Spec.Gate}")}{(Spec.Rotation is null ? "" : $", {Spec.Rotation}")}{(Spec.SumsRows ? ", row sums" : "")}, {Tile})";

    /// <param name="architecture">Compute capability of the device; the text is for this and later ones.</param>
    /// <param name="startsEarly">It may be started while the kernel before it still runs, where the family can: see <see cref="Ptx.PtxWriter.StartsEarly"/>.</param>
    public Ptx.PtxProgram Write(int architecture = 80, bool startsEarly = false) => Family switch
    {
        GemmFamily.Mma => MmaGemm.Write(Spec, Tile, architecture, startsEarly),
        GemmFamily.Wgmma => WgmmaGemm.Write(Spec, Tile, startsEarly: startsEarly),
        GemmFamily.Simt => SimtGemm.Write(Spec, Tile),
        GemmFamily.FewRows => FewRowsGemm.Write(Spec, Tile),
        _ => SliceSum.Write(Spec, startsEarly),
    };
}

/// <summary>How a product is done: by which kernel, and in how many slices of its depth.</summary>
internal readonly record struct GemmChoice(GemmFamily Family, GemmTile Tile, int Slices = 1)
{
    /// <summary>No estimate chooses it: it is used where it was measured to be the fastest.</summary>
    public bool MustBeMeasured => Tile.Cluster > 1 || Tile.IsStream;

    public override string ToString() => $"{Family} {Tile}{(Slices > 1 ? $" k/{Slices}" : "")}";
}

/// <summary>Cuts that kernels of products come in, the largest first.</summary>
internal static class GemmTiles
{
    /// <summary>Counts up when kernels change: what was measured of others no longer counts.</summary>
    public const int Version = 2;

    public static IReadOnlyList<GemmTile> Mma { get; } =
    [
        new(128, 256, 64, 64, 128, 3, 1),
        new(256, 128, 64, 64, 128, 3, 1),
        new(128, 128, 64, 64, 128, 3, 2),
        new(128, 256, 64, 64, 64, 4, 1),
        new(256, 128, 64, 64, 64, 4, 1),
        new(128, 128, 64, 64, 64, 4, 2),
        new(128, 64, 64, 32, 64, 4, 3),
        new(64, 128, 32, 64, 64, 4, 3),
        new(64, 64, 32, 32, 128, 4, 3),
        new(64, 64, 32, 32, 64, 4, 4),
        new(32, 64, 16, 32, 128, 4, 4),
    ];

    /// <summary>Two warpgroups with half of the rows each; four stages where y needs no place in shared memory.</summary>
    public static IReadOnlyList<GemmTile> Wgmma { get; } =
    [
        new(128, 256, 16, 256, 128, 4, 1),
        new(128, 256, 16, 256, 128, 3, 1),
        new(256, 128, 32, 128, 128, 4, 1),
        new(256, 128, 32, 128, 128, 3, 1),
        new(128, 192, 16, 192, 128, 4, 1),
        new(128, 128, 16, 128, 128, 5, 1),
    ];

    /// <summary>The same in clusters of two.</summary>
    public static IReadOnlyList<GemmTile> Clusters { get; } = [.. Wgmma.Select(tile => tile with { Cluster = 2 })];

    /// <summary>Those whose blocks have equal shares.</summary>
    public static IReadOnlyList<GemmTile> Streams { get; } = [.. Wgmma.Where(tile => tile.M * tile.N == 128 * 256).Select(tile => tile with { IsStream = true })];

    public static IReadOnlyList<GemmTile> Simt { get; } =
    [
        SimtGemm.Tile(256, 128, 64, 64, 1),
        SimtGemm.Tile(128, 256, 64, 64, 1),
        SimtGemm.Tile(128, 128, 64, 64, 2),
        SimtGemm.Tile(64, 64, 32, 64, 6),
        SimtGemm.Tile(64, 64, 32, 32, 5),
    ];
}
