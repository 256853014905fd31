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
    public int Threads => 32 * (M / WarpM) * (N / WarpN);

    /// <summary>Of one stage: the tiles of a and b.</summary>
    public int StageBytes => (M + N) * DepthBytes;

    public override string ToString() => $"{M}x{N}x{DepthBytes} {WarpM}x{WarpN} s{Stages} b{Blocks}";
}
