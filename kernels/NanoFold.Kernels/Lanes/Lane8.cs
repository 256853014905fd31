using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Lanes;

/// <summary>8 floats in one 256-bit vector; emulated by narrower ones where the machine has none.</summary>
public readonly struct Lane8 : ICpuLane<Lane8>, IFloatLane<Lane8>
{
    private readonly Vector256<float> _value;

    public Lane8(Vector256<float> value) => _value = value;

    public static int Width => 8;

    public static DType Type => DType.Float32;

    public Vector256<float> Value => _value;

    [MethodImpl(Inline)]
    public static Lane8 Constant(double value) => new(Vector256.Create((float)value));

    [MethodImpl(Inline)]
    public static Lane8 operator +(Lane8 a, Lane8 b) => new(a._value + b._value);

    [MethodImpl(Inline)]
    public static Lane8 operator -(Lane8 a, Lane8 b) => new(a._value - b._value);

    [MethodImpl(Inline)]
    public static Lane8 operator *(Lane8 a, Lane8 b) => new(a._value * b._value);

    [MethodImpl(Inline)]
    public static Lane8 operator /(Lane8 a, Lane8 b) => new(a._value / b._value);

    [MethodImpl(Inline)]
    public static Lane8 operator -(Lane8 a) => new(-a._value);

    [MethodImpl(Inline)]
    public static Lane8 MultiplyAdd(Lane8 a, Lane8 b, Lane8 c) => new(Vector256.MultiplyAddEstimate(a._value, b._value, c._value));

    [MethodImpl(Inline)]
    public static Lane8 Max(Lane8 a, Lane8 b) => new(Vector256.MaxNative(a._value, b._value));

    [MethodImpl(Inline)]
    public static Lane8 Min(Lane8 a, Lane8 b) => new(Vector256.MinNative(a._value, b._value));

    [MethodImpl(Inline)]
    public static Lane8 Abs(Lane8 a) => new(Vector256.Abs(a._value));

    [MethodImpl(Inline)]
    public static Lane8 Sqrt(Lane8 a) => new(Vector256.Sqrt(a._value));

    [MethodImpl(Inline)]
    public static Lane8 Exp(Lane8 a) => FloatMath.Exp(a);

    [MethodImpl(Inline)]
    public static Lane8 DecayOfTwo(Lane8 a) => FloatMath.DecayOfTwo(a);

    [MethodImpl(Inline)]
    public static Lane8 Tanh(Lane8 a) => FloatMath.Tanh(a);

    [MethodImpl(Inline)]
    public static Lane8 Log(Lane8 a) => FloatMath.Log(a);

    [MethodImpl(Inline)]
    public static Lane8 Erfc(Lane8 a) => FloatMath.Erfc(a);

    [MethodImpl(Inline)]
    public static Lane8 SelectGreater(Lane8 a, Lane8 b, Lane8 ifGreater, Lane8 otherwise) =>
        new(Vector256.ConditionalSelect(Vector256.GreaterThan(a._value, b._value), ifGreater._value, otherwise._value));

    [MethodImpl(Inline)]
    static Lane8 IFloatLane<Lane8>.AddToExponent(Lane8 a, Lane8 shifted) =>
        new((a._value.AsInt32() + Vector256.ShiftLeft(shifted._value.AsInt32(), 23)).AsSingle());

    [MethodImpl(Inline)]
    static Lane8 IFloatLane<Lane8>.SplitExponent(Lane8 a, out Lane8 exponent)
    {
        // Bits of sqrt(1/2) taken off and added back put the mantissa into [sqrt(1/2), sqrt(2)).
        Vector256<int> bits = a._value.AsInt32() - Vector256.Create(0x3f3504f3);
        exponent = new(Vector256.ConvertToSingle(Vector256.ShiftRightArithmetic(bits, 23)));
        return new(((bits & Vector256.Create(0x007fffff)) + Vector256.Create(0x3f3504f3)).AsSingle());
    }

    [MethodImpl(Inline)]
    public static unsafe Lane8 Load(void* source, nint index) => new(Vector256.Load((float*)source + index));

    [MethodImpl(Inline)]
    public static unsafe Lane8 LoadPart(void* source, nint index, int count)
        => Avx.IsSupported ? new(Avx.MaskLoad((float*)source + index, Mask(count))) : LoadCopy((float*)source + index, count);

    [MethodImpl(Inline)]
    public static unsafe void Store(void* target, nint index, Lane8 value) => value._value.Store((float*)target + index);

    [MethodImpl(Inline)]
    public static unsafe void StorePart(void* target, nint index, int count, Lane8 value)
    {
        if (Avx.IsSupported)
        {
            Avx.MaskStore((float*)target + index, Mask(count), value._value);
        }
        else
        {
            StoreCopy((float*)target + index, count, value._value);
        }
    }

    [MethodImpl(Inline)]
    public static double Sum(Lane8 value) => Vector256.Sum(value._value);

    [MethodImpl(Inline)]
    public static double Largest(Lane8 value)
    {
        return Lane4.Largest(new(Vector128.MaxNative(value._value.GetLower(), value._value.GetUpper())));
    }

    [MethodImpl(Inline)]
    public static unsafe Lane8 Splat(void* source, nint index) => new(Vector256.Create(((float*)source)[index]));

    /// <summary>All bits set in the first elements.</summary>
    [MethodImpl(Inline)]
    private static Vector256<float> Mask(int count) => Vector256.GreaterThan(Vector256.Create(count), Vector256<int>.Indices).AsSingle();

    private static unsafe Lane8 LoadCopy(float* source, int count)
    {
        Vector256<float> value = default;
        new ReadOnlySpan<float>(source, count).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<Vector256<float>, float>(ref value), 8));
        return new(value);
    }

    private static unsafe void StoreCopy(float* target, int count, Vector256<float> value)
        => MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<Vector256<float>, float>(ref value), count).CopyTo(new Span<float>(target, count));

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}
