using ILGPU;
using Half = ILGPU.Half;

namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>A real number as it lies in the device's memory; kernels compute in float.</summary>
public interface IElement<T>
    where T : unmanaged, IElement<T>
{
    static abstract float Read(T value);

    /// <summary>Rounds to nearest, ties to even.</summary>
    static abstract T Write(float value);

    /// <summary>Of two neighbors of 16 bits in a word, the first one.</summary>
    static abstract float ReadLow(uint pair);

    /// <summary>As above, the second one.</summary>
    static abstract float ReadHigh(uint pair);

    /// <summary>Two neighbors of 16 bits as a word.</summary>
    static abstract uint WritePair(float low, float high);
}

/// <summary>Single precision.</summary>
public readonly struct F32(float value) : IElement<F32>
{
    private readonly float _value = value;

    public static float Read(F32 value) => value._value;

    public static F32 Write(float value) => new(value);

    /// <summary>There are no two in a word.</summary>
    public static float ReadLow(uint pair) => throw new NotSupportedException();

    /// <inheritdoc cref="ReadLow"/>
    public static float ReadHigh(uint pair) => throw new NotSupportedException();

    /// <inheritdoc cref="ReadLow"/>
    public static uint WritePair(float low, float high) => throw new NotSupportedException();
}

/// <summary>Half precision (IEEE 754): 5 bits of exponent, 10 of mantissa.</summary>
public readonly struct F16(Half value) : IElement<F16>
{
    private readonly Half _value = value;

    public static float Read(F16 value) => value._value;

    public static F16 Write(float value) => new((Half)value);

    public static float ReadLow(uint pair) => Interop.IntAsFloat((ushort)pair);

    public static float ReadHigh(uint pair) => Interop.IntAsFloat((ushort)(pair >> 16));

    public static uint WritePair(float low, float high) => Interop.FloatAsInt((Half)low) | ((uint)Interop.FloatAsInt((Half)high) << 16);
}

/// <summary>The upper half of a float: 8 bits of exponent, 7 of mantissa.</summary>
public readonly struct BF16(ushort bits) : IElement<BF16>
{
    private readonly ushort _bits = bits;

    public static float Read(BF16 value) => Interop.IntAsFloat((uint)value._bits << 16);

    public static BF16 Write(float value) => new((ushort)Bits(value));

    public static float ReadLow(uint pair) => Interop.IntAsFloat(pair << 16);

    public static float ReadHigh(uint pair) => Interop.IntAsFloat(pair & 0xffff0000u);

    public static uint WritePair(float low, float high) => Bits(low) | (Bits(high) << 16);

    // Not-a-number stays one: rounding could carry its mantissa into infinity.
    private static uint Bits(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fffu : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    }
}
