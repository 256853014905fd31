using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Rows;

/// <summary>
/// A value and its index as one number that sorts as top-k does: by value, and among equals the smaller index larger. What is not a number counts as −∞. No key is 0.
/// </summary>
internal static class TopKKey
{
    public static ulong Of(float value, int index)
    {
        // −0 is 0.
        uint bits = Interop.FloatAsInt(Bits.IsNaN(value) ? float.NegativeInfinity : value == 0 ? 0f : value);
        uint ordered = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
        return ((ulong)ordered << 32) | (uint)~index;
    }

    public static float Value(ulong key)
    {
        uint ordered = (uint)(key >> 32);
        return Interop.IntAsFloat((ordered & 0x80000000u) != 0 ? ordered & 0x7fffffffu : ~ordered);
    }

    public static int Index(ulong key) => ~(int)(uint)key;
}
