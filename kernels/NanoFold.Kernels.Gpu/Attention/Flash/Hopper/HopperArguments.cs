using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>What attention forward by warpgroups is launched with: that of the other kernels, and tensor maps of q, k, v and y.</summary>
[StructLayout(LayoutKind.Explicit, Size = 896)]
internal struct HopperArguments
{
    public const int Align = 64, AtWatch = 352, AtQ = 384, AtK = 512, AtV = 640, AtY = 768;

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

    [FieldOffset(AtY)]
    public TensorMap Y;
}
