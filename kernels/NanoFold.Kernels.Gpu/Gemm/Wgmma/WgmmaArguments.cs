using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>What a product by warpgroups is launched with: that of every product, and tensor maps of its matrices, those of y and the residual only where they are copied so.</summary>
[StructLayout(LayoutKind.Explicit, Size = 896)]
internal struct WgmmaArguments
{
    public const int Align = 64, AtWatch = 240, AtA = 256, AtB = 384, AtY = 512, AtResidual = 640, AtUp = 768;

    [FieldOffset(0)]
    public GemmArguments Product;

    /// <summary>Where a kernel with <see cref="PtxWatch"/> writes what it waited for.</summary>
    [FieldOffset(AtWatch)]
    public long Watch;

    [FieldOffset(AtA)]
    public TensorMap A;

    [FieldOffset(AtB)]
    public TensorMap B;

    [FieldOffset(AtY)]
    public TensorMap Y;

    [FieldOffset(AtResidual)]
    public TensorMap Residual;

    /// <summary>Where a product has gates: of what they multiply; y's own is of gates.</summary>
    [FieldOffset(AtUp)]
    public TensorMap Up;
}
