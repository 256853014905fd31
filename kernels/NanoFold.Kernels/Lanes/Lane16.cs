using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Lanes;

/// <summary>16 floats in one 512-bit vector; emulated by narrower ones where the machine has none.</summary>
public readonly struct Lane16 : ICpuLane<Lane16>, IFloatLane<Lane16>
{
    private readonly Vector512<float> _value;

    public Lane16(Vector512<float> value) => _value = value;

    public static int Width => 16;

    public static DType Type => DType.Float32;

    public Vector512<float> Value => _value;

    [MethodImpl(Inline)]
    public static Lane16 Constant(double value) => new(Vector512.Create((float)value));

    [MethodImpl(Inline)]
    public static Lane16 operator +(Lane16 a, Lane16 b) => new(a._value + b._value);

    [MethodImpl(Inline)]
    public static Lane16 operator -(Lane16 a, Lane16 b) => new(a._value - b._value);

    [MethodImpl(Inline)]
    public static Lane16 operator *(Lane16 a, Lane16 b) => new(a._value * b._value);

    [MethodImpl(Inline)]
    public static Lane16 operator /(Lane16 a, Lane16 b) => new(a._value / b._value);

    [MethodImpl(Inline)]
    public static Lane16 operator -(Lane16 a) => new(-a._value);

    [MethodImpl(Inline)]
    public static Lane16 MultiplyAdd(Lane16 a, Lane16 b, Lane16 c) => new(Vector512.MultiplyAddEstimate(a._value, b._value, c._value));

    [MethodImpl(Inline)]
    public static Lane16 Max(Lane16 a, Lane16 b) => new(Vector512.MaxNative(a._value, b._value));

    [MethodImpl(Inline)]
    public static Lane16 Min(Lane16 a, Lane16 b) => new(Vector512.MinNative(a._value, b._value));

    [MethodImpl(Inline)]
    public static Lane16 Abs(Lane16 a) => new(Vector512.Abs(a._value));

    [MethodImpl(Inline)]
    public static Lane16 Sqrt(Lane16 a) => new(Vector512.Sqrt(a._value));

    [MethodImpl(Inline)]
    public static Lane16 Exp(Lane16 a) => FloatMath.Exp(a);

    [MethodImpl(Inline)]
    public static Lane16 DecayOfTwo(Lane16 a) => FloatMath.DecayOfTwo(a);

    [MethodImpl(Inline)]
    public static Lane16 Tanh(Lane16 a) => FloatMath.Tanh(a);

    [MethodImpl(Inline)]
    public static Lane16 Log(Lane16 a) => FloatMath.Log(a);

    [MethodImpl(Inline)]
    public static Lane16 Erfc(Lane16 a) => FloatMath.Erfc(a);

    [MethodImpl(Inline)]
    public static Lane16 SelectGreater(Lane16 a, Lane16 b, Lane16 ifGreater, Lane16 otherwise) =>
        new(Vector512.ConditionalSelect(Vector512.GreaterThan(a._value, b._value), ifGreater._value, otherwise._value));

    [MethodImpl(Inline)]
    static Lane16 IFloatLane<Lane16>.AddToExponent(Lane16 a, Lane16 shifted) =>
        new((a._value.AsInt32() + Vector512.ShiftLeft(shifted._value.AsInt32(), 23)).AsSingle());

    [MethodImpl(Inline)]
    static Lane16 IFloatLane<Lane16>.SplitExponent(Lane16 a, out Lane16 exponent)
    {
        // Bits of sqrt(1/2) taken off and added back put the mantissa into [sqrt(1/2), sqrt(2)).
        Vector512<int> bits = a._value.AsInt32() - Vector512.Create(0x3f3504f3);
        exponent = new(Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(bits, 23)));
        return new(((bits & Vector512.Create(0x007fffff)) + Vector512.Create(0x3f3504f3)).AsSingle());
    }

    [MethodImpl(Inline)]
    public static unsafe Lane16 Load(void* source, nint index) => new(Vector512.Load((float*)source + index));

    [MethodImpl(Inline)]
    public static unsafe Lane16 LoadPart(void* source, nint index, int count)
        => new(Vector512.Create(Lane8.LoadPart(source, index, Math.Min(count, 8)).Value, Lane8.LoadPart(source, index + 8, Math.Max(count - 8, 0)).Value));

    [MethodImpl(Inline)]
    public static unsafe void Store(void* target, nint index, Lane16 value) => value._value.Store((float*)target + index);

    [MethodImpl(Inline)]
    public static unsafe void StorePart(void* target, nint index, int count, Lane16 value)
    {
        Lane8.StorePart(target, index, Math.Min(count, 8), new(value._value.GetLower()));
        Lane8.StorePart(target, index + 8, Math.Max(count - 8, 0), new(value._value.GetUpper()));
    }

    [MethodImpl(Inline)]
    public static double Sum(Lane16 value) => Vector512.Sum(value._value);

    [MethodImpl(Inline)]
    public static double Largest(Lane16 value)
    {
        return Lane8.Largest(new(Vector256.MaxNative(value._value.GetLower(), value._value.GetUpper())));
    }

    [MethodImpl(Inline)]
    public static unsafe Lane16 Splat(void* source, nint index) => new(Vector512.Create(((float*)source)[index]));

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}
