using ILGPU;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Gpu;

/// <summary>One float in a GPU kernel: the formulas of the CPU, compiled for the device.</summary>
internal readonly struct GpuLane(float value) : ILane<GpuLane>, IFloatLane<GpuLane>
{
    private readonly float _value = value;

    public float Value => _value;

    public static GpuLane Constant(double value) => new((float)value);

    public static GpuLane operator +(GpuLane a, GpuLane b) => new(a._value + b._value);

    public static GpuLane operator -(GpuLane a, GpuLane b) => new(a._value - b._value);

    public static GpuLane operator *(GpuLane a, GpuLane b) => new(a._value * b._value);

    public static GpuLane operator /(GpuLane a, GpuLane b) => new(a._value / b._value);

    public static GpuLane operator -(GpuLane a) => new(-a._value);

    /// <summary>Written as two operations: the device's compiler fuses them.</summary>
    public static GpuLane MultiplyAdd(GpuLane a, GpuLane b, GpuLane c) => new(a._value * b._value + c._value);

    public static GpuLane Max(GpuLane a, GpuLane b) => Bits.IsGreater(a._value, b._value) ? a : b;

    public static GpuLane Min(GpuLane a, GpuLane b) => Bits.IsGreater(b._value, a._value) ? a : b;

    public static GpuLane Abs(GpuLane a) => new(IntrinsicMath.Abs(a._value));

    public static GpuLane Sqrt(GpuLane a) => new(MathF.Sqrt(a._value));

    /// <summary>What is not a number stays so: with the bits that a device gives it, it would not come through the polynomial.</summary>
    public static GpuLane Exp(GpuLane a)
    {
        // Computed before it is chosen, so that there is no branch.
        float power = FloatMath.Exp(a)._value;
        return new(Bits.IsNaN(a._value) ? a._value : power);
    }

    public static GpuLane Tanh(GpuLane a) => FloatMath.Tanh(a);

    public static GpuLane Log(GpuLane a) => FloatMath.Log(a);

    public static GpuLane Erfc(GpuLane a) => FloatMath.Erfc(a);

    public static GpuLane SelectGreater(GpuLane a, GpuLane b, GpuLane ifGreater, GpuLane otherwise) => Bits.IsGreater(a._value, b._value) ? ifGreater : otherwise;

    static GpuLane IFloatLane<GpuLane>.AddToExponent(GpuLane a, GpuLane shifted) =>
        new(Interop.IntAsFloat(Interop.FloatAsInt(a._value) + (Interop.FloatAsInt(shifted._value) << 23)));

    static GpuLane IFloatLane<GpuLane>.SplitExponent(GpuLane a, out GpuLane exponent)
    {
        int bits = (int)Interop.FloatAsInt(a._value) - 0x3f3504f3;
        exponent = new(bits >> 23);
        return new(Interop.IntAsFloat((uint)((bits & 0x007fffff) + 0x3f3504f3)));
    }
}
