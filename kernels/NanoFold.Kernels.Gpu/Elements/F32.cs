namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>Single precision.</summary>
internal readonly struct F32(float value) : IElement<F32>
{
    private readonly float _value = value;

    public static float Read(F32 value) => value._value;

    public static F32 Write(float value) => new(value);
}
