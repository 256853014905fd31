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
}

/// <summary>Single precision.</summary>
public readonly struct F32(float value) : IElement<F32>
{
    private readonly float _value = value;

    public static float Read(F32 value) => value._value;

    public static F32 Write(float value) => new(value);
}

/// <summary>Half precision (IEEE 754): 5 bits of exponent, 10 of mantissa.</summary>
public readonly struct F16(Half value) : IElement<F16>
{
    private readonly Half _value = value;

    public static float Read(F16 value) => value._value;

    public static F16 Write(float value) => new((Half)value);
}

/// <summary>The upper half of a float: 8 bits of exponent, 7 of mantissa.</summary>
public readonly struct BF16(ushort bits) : IElement<BF16>
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
