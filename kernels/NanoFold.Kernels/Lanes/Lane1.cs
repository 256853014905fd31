using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Lanes;

/// <summary>One float.</summary>
public readonly struct Lane1 : ICpuLane<Lane1>, IFloatLane<Lane1>
{
    private readonly float _value;

    public Lane1(float value) => _value = value;

    public static int Width => 1;

    public static DType Type => DType.Float32;

    public float Value => _value;

    [MethodImpl(Inline)]
    public static Lane1 Constant(double value) => new((float)value);

    [MethodImpl(Inline)]
    public static Lane1 operator +(Lane1 a, Lane1 b) => new(a._value + b._value);

    [MethodImpl(Inline)]
    public static Lane1 operator -(Lane1 a, Lane1 b) => new(a._value - b._value);

    [MethodImpl(Inline)]
    public static Lane1 operator *(Lane1 a, Lane1 b) => new(a._value * b._value);

    [MethodImpl(Inline)]
    public static Lane1 operator /(Lane1 a, Lane1 b) => new(a._value / b._value);

    [MethodImpl(Inline)]
    public static Lane1 operator -(Lane1 a) => new(-a._value);

    [MethodImpl(Inline)]
    public static Lane1 MultiplyAdd(Lane1 a, Lane1 b, Lane1 c) => new(MathF.FusedMultiplyAdd(a._value, b._value, c._value));

    [MethodImpl(Inline)]
    public static Lane1 Max(Lane1 a, Lane1 b) => new(a._value > b._value ? a._value : b._value);

    [MethodImpl(Inline)]
    public static Lane1 Min(Lane1 a, Lane1 b) => new(a._value < b._value ? a._value : b._value);

    [MethodImpl(Inline)]
    public static Lane1 Abs(Lane1 a) => new(MathF.Abs(a._value));

    [MethodImpl(Inline)]
    public static Lane1 Sqrt(Lane1 a) => new(MathF.Sqrt(a._value));

    [MethodImpl(Inline)]
    public static Lane1 Exp(Lane1 a) => FloatMath.Exp(a);

    [MethodImpl(Inline)]
    public static Lane1 DecayOfTwo(Lane1 a) => FloatMath.DecayOfTwo(a);

    [MethodImpl(Inline)]
    public static Lane1 Tanh(Lane1 a) => FloatMath.Tanh(a);

    [MethodImpl(Inline)]
    public static Lane1 Log(Lane1 a) => FloatMath.Log(a);

    [MethodImpl(Inline)]
    public static Lane1 Erfc(Lane1 a) => FloatMath.Erfc(a);

    [MethodImpl(Inline)]
    public static Lane1 SelectGreater(Lane1 a, Lane1 b, Lane1 ifGreater, Lane1 otherwise) => a._value > b._value ? ifGreater : otherwise;

    [MethodImpl(Inline)]
    static Lane1 IFloatLane<Lane1>.AddToExponent(Lane1 a, Lane1 shifted) =>
        new(BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(a._value) + (BitConverter.SingleToInt32Bits(shifted._value) << 23)));

    [MethodImpl(Inline)]
    static Lane1 IFloatLane<Lane1>.SplitExponent(Lane1 a, out Lane1 exponent)
    {
        int bits = BitConverter.SingleToInt32Bits(a._value) - 0x3f3504f3;
        exponent = new(bits >> 23);
        return new(BitConverter.Int32BitsToSingle((bits & 0x007fffff) + 0x3f3504f3));
    }

    [MethodImpl(Inline)]
    public static unsafe Lane1 Load(void* source, nint index) => new(((float*)source)[index]);

    [MethodImpl(Inline)]
    public static unsafe Lane1 LoadPart(void* source, nint index, int count) => count > 0 ? Load(source, index) : default;

    [MethodImpl(Inline)]
    public static unsafe void Store(void* target, nint index, Lane1 value) => ((float*)target)[index] = value._value;

    [MethodImpl(Inline)]
    public static unsafe void StorePart(void* target, nint index, int count, Lane1 value)
    {
        if (count > 0)
        {
            Store(target, index, value);
        }
    }

    [MethodImpl(Inline)]
    public static double Sum(Lane1 value) => value._value;

    [MethodImpl(Inline)]
    public static double Largest(Lane1 value) => value._value;

    [MethodImpl(Inline)]
    public static unsafe Lane1 Splat(void* source, nint index) => Load(source, index);

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}
