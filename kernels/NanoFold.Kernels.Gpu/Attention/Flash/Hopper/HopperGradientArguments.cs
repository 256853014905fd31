using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>What attention backward by warpgroups is launched with: that of the other kernels, and tensor maps of q, k, v, dy, of log-sum-exps in bits and of delta.</summary>
[StructLayout(LayoutKind.Explicit, Size = 1152)]
internal struct HopperGradientArguments
{
    public const int Align = 64, AtWatch = 352, AtQ = 384, AtK = 512, AtV = 640, AtDY = 768, AtBits = 896, AtDelta = 1024;

    [FieldOffset(0)]
    public FlashArguments Flash;

    /// <summary>Where a kernel with <see cref="PtxWatch"/> writes what it waited for.</summary>
    [FieldOffset(AtWatch)]
    public long Watch;

    [FieldOffset(AtQ)]
    public TensorMap Q;

    [FieldOffset(AtK)]
    public TensorMap K;

    [FieldOffset(AtV)]
    public TensorMap V;

    [FieldOffset(AtDY)]
    public TensorMap DY;

    [FieldOffset(AtBits)]
    public TensorMap Bits;

    [FieldOffset(AtDelta)]
    public TensorMap Delta;
}
