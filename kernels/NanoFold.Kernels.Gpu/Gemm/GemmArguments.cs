using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>What every kernel for matrix products is launched with. Addresses and strides are in bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GemmArguments
{
    public long A, B, Y, Bias, Residual;

    /// <summary>[E + 1] row offsets (Int32) of a grouped product.</summary>
    public long Offsets;

    /// <summary>Between the products of a batch, over the outer and the inner batch dimension; between groups the outer one. For a split depth, of y: between the slices' sums.</summary>
    public long OuterA, OuterB, OuterY, OuterResidual, InnerA, InnerB, InnerY, InnerResidual;

    /// <summary>Between rows as they are stored (the leading dimension).</summary>
    public int StrideA, StrideB, StrideY, StrideResidual;

    public int M, N, K;

    /// <summary>Blocks along M and N.</summary>
    public int TilesM, TilesN;

    /// <summary>Products along the inner batch dimension.</summary>
    public int InnerCount;

    /// <summary>Of K, for a block along grid z, where the depth is split.</summary>
    public int SliceDepth;

    public int Groups;

    public float Alpha;

    /// <summary>Reads the field called <paramref name="field"/>.</summary>
    public static Reg Read(PtxWriter w, RegKind kind, string field)
        => w.Argument(kind, (int)Marshal.OffsetOf<GemmArguments>(field));
}
