using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// How predictions are computed. A processor's own way is fast, and its bits are those of one instruction set; the portable one takes one number after the other in a fixed order, with
/// fused multiply-adds that round once wherever they run, and has the same bits everywhere.
/// </summary>
internal static class NumericPath
{
    private const byte FusedFlag = 0x20;

    /// <summary>Of this machine, in a byte: the floats of a lane, and whether it fuses multiply-adds. 0 is the portable way.</summary>
    public static byte Code(bool isPortable) => isPortable ? (byte)0 : (byte)((int)IsaExtensions.Best | (IsFused ? FusedFlag : 0));

    /// <summary>A backend that computes so.</summary>
    public static CpuBackend Open(int threads, bool isPortable) => new(threads, isPortable ? Isa.Scalar : null);

    /// <summary>A code in words.</summary>
    public static string Name(byte code) => (code & ~FusedFlag) switch
    {
        0 => "portable",
        (int)Isa.Vector512 => "avx512",
        (int)Isa.Vector256 => (code & FusedFlag) != 0 ? "avx2 with fma" : "avx2",
        (int)Isa.Vector128 => (code & FusedFlag) != 0 ? "128-bit with fma" : "128-bit",
        _ => "scalar",
    };

    private static bool IsFused => Fma.IsSupported || RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
}
