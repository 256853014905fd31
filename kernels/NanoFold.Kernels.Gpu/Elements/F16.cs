using Half = ILGPU.Half;

namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>Half precision (IEEE 754): 5 bits of exponent, 10 of mantissa.</summary>
internal readonly struct F16(Half value) : IElement<F16>
{
    private readonly Half _value = value;

    public static float Read(F16 value) => value._value;

    public static F16 Write(float value) => new((Half)value);
}
