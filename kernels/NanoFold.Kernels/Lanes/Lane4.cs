using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Lanes;

/// <summary>4 floats in one 128-bit vector; emulated by narrower ones where the machine has none.</summary>
public readonly struct Lane4 : ICpuLane<Lane4>, IFloatLane<Lane4>
{
    private readonly Vector128<float> _value;

    public Lane4(Vector128<float> value) => _value = value;

    public static int Width => 4;

    public static DType Type => DType.Float32;

    public Vector128<float> Value => _value;

    [MethodImpl(Inline)]
    public static Lane4 Constant(double value) => new(Vector128.Create((float)value));

    [MethodImpl(Inline)]
    public static Lane4 operator +(Lane4 a, Lane4 b) => new(a._value + b._value);

    [MethodImpl(Inline)]
    public static Lane4 operator -(Lane4 a, Lane4 b) => new(a._value - b._value);

    [MethodImpl(Inline)]
    public static Lane4 operator *(Lane4 a, Lane4 b) => new(a._value * b._value);

    [MethodImpl(Inline)]
    public static Lane4 operator /(Lane4 a, Lane4 b) => new(a._value / b._value);

    [MethodImpl(Inline)]
    public static Lane4 operator -(Lane4 a) => new(-a._value);

    [MethodImpl(Inline)]
    public static Lane4 MultiplyAdd(Lane4 a, Lane4 b, Lane4 c) => new(Vector128.MultiplyAddEstimate(a._value, b._value, c._value));

    [MethodImpl(Inline)]
    public static Lane4 Max(Lane4 a, Lane4 b) => new(Vector128.MaxNative(a._value, b._value));

    [MethodImpl(Inline)]
    public static Lane4 Min(Lane4 a, Lane4 b) => new(Vector128.MinNative(a._value, b._value));

    [MethodImpl(Inline)]
    public static Lane4 Abs(Lane4 a) => new(Vector128.Abs(a._value));

    [MethodImpl(Inline)]
    public static Lane4 Sqrt(Lane4 a) => new(Vector128.Sqrt(a._value));

    [MethodImpl(Inline)]
    public static Lane4 Exp(Lane4 a) => FloatMath.Exp(a);

    [MethodImpl(Inline)]
    public static Lane4 DecayOfTwo(Lane4 a) => FloatMath.DecayOfTwo(a);

    [MethodImpl(Inline)]
    public static Lane4 Tanh(Lane4 a) => FloatMath.Tanh(a);

    [MethodImpl(Inline)]
    public static Lane4 Log(Lane4 a) => FloatMath.Log(a);

    [MethodImpl(Inline)]
    public static Lane4 Erfc(Lane4 a) => FloatMath.Erfc(a);

    [MethodImpl(Inline)]
    public static Lane4 SelectGreater(Lane4 a, Lane4 b, Lane4 ifGreater, Lane4 otherwise) =>
        new(Vector128.ConditionalSelect(Vector128.GreaterThan(a._value, b._value), ifGreater._value, otherwise._value));

    [MethodImpl(Inline)]
    static Lane4 IFloatLane<Lane4>.AddToExponent(Lane4 a, Lane4 shifted) =>
        new((a._value.AsInt32() + Vector128.ShiftLeft(shifted._value.AsInt32(), 23)).AsSingle());

    [MethodImpl(Inline)]
    static Lane4 IFloatLane<Lane4>.SplitExponent(Lane4 a, out Lane4 exponent)
    {
        // Bits of sqrt(1/2) taken off and added back put the mantissa into [sqrt(1/2), sqrt(2)).
        Vector128<int> bits = a._value.AsInt32() - Vector128.Create(0x3f3504f3);
        exponent = new(Vector128.ConvertToSingle(Vector128.ShiftRightArithmetic(bits, 23)));
        return new(((bits & Vector128.Create(0x007fffff)) + Vector128.Create(0x3f3504f3)).AsSingle());
    }

    [MethodImpl(Inline)]
    public static unsafe Lane4 Load(void* source, nint index) => new(Vector128.Load((float*)source + index));

    [MethodImpl(Inline)]
    public static unsafe Lane4 LoadPart(void* source, nint index, int count)
        => Avx.IsSupported ? new(Avx.MaskLoad((float*)source + index, Mask(count))) : LoadCopy((float*)source + index, count);

    [MethodImpl(Inline)]
    public static unsafe void Store(void* target, nint index, Lane4 value) => value._value.Store((float*)target + index);

    [MethodImpl(Inline)]
    public static unsafe void StorePart(void* target, nint index, int count, Lane4 value)
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
    public static double Sum(Lane4 value) => Vector128.Sum(value._value);

    [MethodImpl(Inline)]
    public static double Largest(Lane4 value)
    {
        Vector128<float> v = value._value;
        v = Vector128.MaxNative(v, Vector128.Shuffle(v, Vector128.Create(2, 3, 0, 1)));
        return MathF.Max(v[0], v[1]);
    }

    [MethodImpl(Inline)]
    public static unsafe Lane4 Splat(void* source, nint index) => new(Vector128.Create(((float*)source)[index]));

    /// <summary>All bits set in the first elements.</summary>
    [MethodImpl(Inline)]
    private static Vector128<float> Mask(int count) => Vector128.GreaterThan(Vector128.Create(count), Vector128<int>.Indices).AsSingle();

    private static unsafe Lane4 LoadCopy(float* source, int count)
    {
        Vector128<float> value = default;
        new ReadOnlySpan<float>(source, count).CopyTo(MemoryMarshal.CreateSpan(ref Unsafe.As<Vector128<float>, float>(ref value), 4));
        return new(value);
    }

    private static unsafe void StoreCopy(float* target, int count, Vector128<float> value)
        => MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<Vector128<float>, float>(ref value), count).CopyTo(new Span<float>(target, count));

    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;
}
