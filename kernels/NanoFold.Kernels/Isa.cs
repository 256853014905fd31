using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Programs;

namespace NanoFold.Kernels;

/// <summary>Instruction-set paths of the CPU backend, by the width of their float lane. All run everywhere; those not accelerated are emulated.</summary>
public enum Isa
{
    Scalar = 1,
    Vector128 = 4,
    Vector256 = 8,
    Vector512 = 16,
}

public static class IsaExtensions
{
    /// <summary>The widest accelerated path of this machine that <see cref="InstructionSets"/> leaves on; 512-bit lanes where the machine does not throttle on them.</summary>
    public static Isa Best =>
        Vector512.IsHardwareAccelerated && Avx512F.IsSupported && InstructionSets.Allows(InstructionSet.Avx512) ? Isa.Vector512
        : Vector256.IsHardwareAccelerated ? Isa.Vector256
        : Vector128.IsHardwareAccelerated ? Isa.Vector128
        : Isa.Scalar;

    public static string Name(this Isa isa) => isa switch
    {
        Isa.Vector512 => "avx512",
        Isa.Vector256 => Fma.IsSupported ? "avx2+fma" : "avx2",
        Isa.Vector128 => System.Runtime.Intrinsics.Arm.AdvSimd.IsSupported ? "neon" : "128-bit",
        _ => "scalar",
    };
}
