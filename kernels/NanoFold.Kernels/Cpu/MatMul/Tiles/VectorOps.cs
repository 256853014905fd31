using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>
/// What a tile does with a vector <typeparamref name="V"/>. Lanes wrap the vector in a struct, which costs the compiler a register
/// copy per multiply-add; here the vector itself is the operand, and the inner loop is as lean as one written by hand.
/// </summary>
internal unsafe interface IVectorOps<V>
    where V : struct
{
    static abstract int Bytes { get; }

    static abstract int ElementBytes { get; }

    static abstract V Zero { get; }

    static abstract V Constant(double value);

    static abstract V Load(byte* source);

    /// <summary>The first <paramref name="count"/> elements, the rest 0; touches no memory after them.</summary>
    static abstract V LoadPart(byte* source, int count);

    /// <summary>One element, broadcast.</summary>
    static abstract V Splat(byte* source);

    static abstract void Store(byte* target, V value);

    /// <summary>Stores the first <paramref name="count"/> elements only.</summary>
    static abstract void StorePart(byte* target, int count, V value);

    static abstract V Add(V a, V b);

    static abstract V Multiply(V a, V b);

    /// <summary>a · b + c, fused where the machine can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>Sum of the elements, in an order that depends on the width only.</summary>
    static abstract double Sum(V value);

    /// <summary>The sums of four vectors, each to the bits of <see cref="Sum"/>, as floats or doubles.</summary>
    static abstract void SumFour<E>(V a, V b, V c, V d, E* sums)
        where E : unmanaged, INumberBase<E>;

    /// <summary>The same rounded to floats, which sums of floats are.</summary>
    static abstract Vector128<float> SumFour(V a, V b, V c, V d);
}

/// <summary>4 floats.</summary>
internal readonly unsafe struct Ops128 : IVectorOps<Vector128<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 16;

    public static int ElementBytes => sizeof(float);

    public static Vector128<float> Zero => Vector128<float>.Zero;

    [MethodImpl(Inline)]
    public static Vector128<float> Constant(double value) => Vector128.Create((float)value);

    [MethodImpl(Inline)]
    public static Vector128<float> Load(byte* source) => Vector128.Load((float*)source);

    public static Vector128<float> LoadPart(byte* source, int count) => Lane4.LoadPart(source, 0, count).Value;

    [MethodImpl(Inline)]
    public static Vector128<float> Splat(byte* source) => Vector128.Create(*(float*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector128<float> value) => value.Store((float*)target);

    public static void StorePart(byte* target, int count, Vector128<float> value) => Lane4.StorePart(target, 0, count, new(value));

    [MethodImpl(Inline)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector128<float> value) => Vector128.Sum(value);

    [MethodImpl(Inline)]
    public static void SumFour<E>(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d, E* sums)
        where E : unmanaged, INumberBase<E>
        => FourSums.Write(FourSums.Of(a, b, c, d), sums);

    [MethodImpl(Inline)]
    public static Vector128<float> SumFour(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d) => FourSums.Of(a, b, c, d);
}

/// <summary>8 floats.</summary>
internal readonly unsafe struct Ops256 : IVectorOps<Vector256<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 32;

    public static int ElementBytes => sizeof(float);

    public static Vector256<float> Zero => Vector256<float>.Zero;

    [MethodImpl(Inline)]
    public static Vector256<float> Constant(double value) => Vector256.Create((float)value);

    [MethodImpl(Inline)]
    public static Vector256<float> Load(byte* source) => Vector256.Load((float*)source);

    public static Vector256<float> LoadPart(byte* source, int count) => Lane8.LoadPart(source, 0, count).Value;

    [MethodImpl(Inline)]
    public static Vector256<float> Splat(byte* source) => Vector256.Create(*(float*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector256<float> value) => value.Store((float*)target);

    public static void StorePart(byte* target, int count, Vector256<float> value) => Lane8.StorePart(target, 0, count, new(value));

    [MethodImpl(Inline)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector256<float> value) => Vector256.Sum(value);

    [MethodImpl(Inline)]
    public static void SumFour<E>(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d, E* sums)
        where E : unmanaged, INumberBase<E>
        => FourSums.Write(FourSums.Of(a, b, c, d), sums);

    [MethodImpl(Inline)]
    public static Vector128<float> SumFour(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) => FourSums.Of(a, b, c, d);
}

/// <summary>16 floats.</summary>
internal readonly unsafe struct Ops512 : IVectorOps<Vector512<float>>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => 64;

    public static int ElementBytes => sizeof(float);

    public static Vector512<float> Zero => Vector512<float>.Zero;

    [MethodImpl(Inline)]
    public static Vector512<float> Constant(double value) => Vector512.Create((float)value);

    [MethodImpl(Inline)]
    public static Vector512<float> Load(byte* source) => Vector512.Load((float*)source);

    public static Vector512<float> LoadPart(byte* source, int count) => Lane16.LoadPart(source, 0, count).Value;

    [MethodImpl(Inline)]
    public static Vector512<float> Splat(byte* source) => Vector512.Create(*(float*)source);

    [MethodImpl(Inline)]
    public static void Store(byte* target, Vector512<float> value) => value.Store((float*)target);

    public static void StorePart(byte* target, int count, Vector512<float> value) => Lane16.StorePart(target, 0, count, new(value));

    [MethodImpl(Inline)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(Inline)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(Inline)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(Vector512<float> value) => Vector512.Sum(value);

    [MethodImpl(Inline)]
    public static void SumFour<E>(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, E* sums)
        where E : unmanaged, INumberBase<E>
        => FourSums.Write(FourSums.Of(a, b, c, d), sums);

    [MethodImpl(Inline)]
    public static Vector128<float> SumFour(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) => FourSums.Of(a, b, c, d);
}

/// <summary>One float or double.</summary>
internal readonly unsafe struct OpsScalar<T> : IVectorOps<T>
    where T : unmanaged, INumberBase<T>
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    public static int Bytes => sizeof(T);

    public static int ElementBytes => sizeof(T);

    public static T Zero => T.Zero;

    [MethodImpl(Inline)]
    public static T Constant(double value) => T.CreateTruncating(value);

    [MethodImpl(Inline)]
    public static T Load(byte* source) => *(T*)source;

    public static T LoadPart(byte* source, int count) => count > 0 ? *(T*)source : T.Zero;

    [MethodImpl(Inline)]
    public static T Splat(byte* source) => *(T*)source;

    [MethodImpl(Inline)]
    public static void Store(byte* target, T value) => *(T*)target = value;

    public static void StorePart(byte* target, int count, T value)
    {
        if (count > 0)
        {
            *(T*)target = value;
        }
    }

    [MethodImpl(Inline)]
    public static T Add(T a, T b) => a + b;

    [MethodImpl(Inline)]
    public static T Multiply(T a, T b) => a * b;

    [MethodImpl(Inline)]
    public static T MultiplyAdd(T a, T b, T c) => typeof(T) == typeof(float) ? (T)(object)MathF.FusedMultiplyAdd((float)(object)a, (float)(object)b, (float)(object)c) : T.MultiplyAddEstimate(a, b, c);

    [MethodImpl(Inline)]
    public static double Sum(T value) => double.CreateTruncating(value);

    [MethodImpl(Inline)]
    public static void SumFour<E>(T a, T b, T c, T d, E* sums)
        where E : unmanaged, INumberBase<E>
        => (sums[0], sums[1], sums[2], sums[3]) = (E.CreateTruncating(a), E.CreateTruncating(b), E.CreateTruncating(c), E.CreateTruncating(d));

    [MethodImpl(Inline)]
    public static Vector128<float> SumFour(T a, T b, T c, T d) => Vector128.Create((float)Sum(a), (float)Sum(b), (float)Sum(c), (float)Sum(d));
}
