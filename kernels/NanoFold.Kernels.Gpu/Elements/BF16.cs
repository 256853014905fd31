using ILGPU;

namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>The upper half of a float: 8 bits of exponent, 7 of mantissa.</summary>
internal readonly struct BF16(ushort bits) : IElement<BF16>
{
    private readonly ushort _bits = bits;

    public static float Read(BF16 value) => Interop.IntAsFloat((uint)value._bits << 16);

    public static BF16 Write(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        // Not-a-number stays one: rounding could carry its mantissa into infinity.
        return new((ushort)((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16));
    }
}
