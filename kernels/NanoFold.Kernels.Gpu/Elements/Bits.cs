using ILGPU;

namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>What comparisons of floats mean in C#, also where one is not a number: what they compile to does not always.</summary>
/// <remarks>
/// ILGPU puts a constant on the right and then takes the comparison for one that holds where its operands have no order
/// (<c>0 &gt; x</c> becomes "x &lt; 0 or not a number"); its OpenCL C has the opposite of a &gt; b as a &lt;= b.
/// </remarks>
internal static class Bits
{
    public static bool IsNaN(float x) => (Interop.FloatAsInt(x) & 0x7fffffffu) > 0x7f800000u;

    /// <summary>False where one of the two is not a number, be one a constant or not: at most one of the two comparisons is changed.</summary>
    public static bool IsGreater(float a, float b) => (a > b) & (b < a);
}
