using ILGPU;

namespace NanoFold.Kernels.Gpu;

/// <summary>What floats are by their bits: comparisons with what is not a number do not compile to what C# says.</summary>
internal static class Bits
{
    public static bool IsNaN(float x) => (Interop.FloatAsInt(x) & 0x7fffffffu) > 0x7f800000u;
}
