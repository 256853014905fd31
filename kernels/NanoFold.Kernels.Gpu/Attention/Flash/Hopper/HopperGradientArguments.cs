using System.Runtime.InteropServices;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash.Hopper;

/// <summary>What attention backward by warpgroups is launched with: that of the forward pass, with dy in place of y, and tensor maps of log-sum-exps in bits and of delta.</summary>
[StructLayout(LayoutKind.Explicit, Size = 1152)]
internal struct HopperGradientArguments
{
    public const int AtDY = HopperArguments.AtY, AtBits = 896, AtDelta = 1024;

    [FieldOffset(0)]
    public HopperArguments Forward;

    [FieldOffset(AtBits)]
    public TensorMap Bits;

    [FieldOffset(AtDelta)]
    public TensorMap Delta;
}
