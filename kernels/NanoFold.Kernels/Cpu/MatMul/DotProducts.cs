using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// One to three rows of a times four columns of b, along adjacent k: twelve sums, three vectors of a and one of b fill 16 registers.
/// </summary>
/// <typeparam name="O">What is done with vectors, those of a among them.</typeparam>
/// <typeparam name="V">The vector.</typeparam>
/// <typeparam name="B">How b is read.</typeparam>
internal unsafe struct DotProducts<O, V, B>
    where O : struct, IVectorOps<V>
    where V : struct
    where B : struct, IRowLoads<V>
{
    public const int Columns = 4;

    public byte* B0, B1, B2, B3;

    /// <summary>sums[column] = Σ a[k] · b[column, k], as floats or doubles.</summary>
    public readonly void One<E>(byte* a, int depth, E* sums)
        where E : unmanaged, INumberBase<E>
    {
        One(a, depth, out V s0, out V s1, out V s2, out V s3);
        O.SumFour(s0, s1, s2, s3, sums);
    }

    /// <summary>The same in a vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly Vector128<float> One(byte* a, int depth)
    {
        One(a, depth, out V s0, out V s1, out V s2, out V s3);
        return O.SumFour(s0, s1, s2, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void One(byte* a, int depth, out V sum0, out V sum1, out V sum2, out V sum3)
    {
        V s0 = O.Zero, s1 = O.Zero, s2 = O.Zero, s3 = O.Zero;
        byte* b0 = B0, b1 = B1, b2 = B2, b3 = B3;
        nint end = (nint)depth * O.ElementBytes, k = 0;
        for (; k <= end - O.Bytes; k += O.Bytes)
        {
            V x = O.Load(a + k);
            s0 = O.MultiplyAdd(x, B.Load(b0 + PlaceOf(k)), s0);
            s1 = O.MultiplyAdd(x, B.Load(b1 + PlaceOf(k)), s1);
            s2 = O.MultiplyAdd(x, B.Load(b2 + PlaceOf(k)), s2);
            s3 = O.MultiplyAdd(x, B.Load(b3 + PlaceOf(k)), s3);
        }

        if (k < end)
        {
            int rest = (int)(end - k) / O.ElementBytes;
            V x = O.LoadPart(a + k, rest);
            s0 = O.MultiplyAdd(x, B.LoadPart(b0 + PlaceOf(k), rest), s0);
            s1 = O.MultiplyAdd(x, B.LoadPart(b1 + PlaceOf(k), rest), s1);
            s2 = O.MultiplyAdd(x, B.LoadPart(b2 + PlaceOf(k), rest), s2);
            s3 = O.MultiplyAdd(x, B.LoadPart(b3 + PlaceOf(k), rest), s3);
        }

        (sum0, sum1, sum2, sum3) = (s0, s1, s2, s3);
    }

    /// <summary>Two rows, the sums of the second <paramref name="sumRow"/> places on.</summary>
    public readonly void Two<E>(byte* a, nint aRow, int depth, E* sums, nint sumRow = Columns)
        where E : unmanaged, INumberBase<E>
    {
        V s0 = O.Zero, s1 = O.Zero, s2 = O.Zero, s3 = O.Zero;
        V t0 = O.Zero, t1 = O.Zero, t2 = O.Zero, t3 = O.Zero;
        byte* b0 = B0, b1 = B1, b2 = B2, b3 = B3, c = a + aRow;
        nint end = (nint)depth * O.ElementBytes, k = 0;
        for (; k <= end - O.Bytes; k += O.Bytes)
        {
            V x = O.Load(a + k), y = O.Load(c + k);
            Add(x, y, B.Load(b0 + PlaceOf(k)), ref s0, ref t0);
            Add(x, y, B.Load(b1 + PlaceOf(k)), ref s1, ref t1);
            Add(x, y, B.Load(b2 + PlaceOf(k)), ref s2, ref t2);
            Add(x, y, B.Load(b3 + PlaceOf(k)), ref s3, ref t3);
        }

        if (k < end)
        {
            int rest = (int)(end - k) / O.ElementBytes;
            V x = O.LoadPart(a + k, rest), y = O.LoadPart(c + k, rest);
            Add(x, y, B.LoadPart(b0 + PlaceOf(k), rest), ref s0, ref t0);
            Add(x, y, B.LoadPart(b1 + PlaceOf(k), rest), ref s1, ref t1);
            Add(x, y, B.LoadPart(b2 + PlaceOf(k), rest), ref s2, ref t2);
            Add(x, y, B.LoadPart(b3 + PlaceOf(k), rest), ref s3, ref t3);
        }

        O.SumFour(s0, s1, s2, s3, sums);
        O.SumFour(t0, t1, t2, t3, sums + sumRow);
    }

    /// <summary>Three rows, the sums of each <paramref name="sumRow"/> places on.</summary>
    public readonly void Three<E>(byte* a, nint aRow, int depth, E* sums, nint sumRow = Columns)
        where E : unmanaged, INumberBase<E>
    {
        V s0 = O.Zero, s1 = O.Zero, s2 = O.Zero, s3 = O.Zero;
        V t0 = O.Zero, t1 = O.Zero, t2 = O.Zero, t3 = O.Zero;
        V u0 = O.Zero, u1 = O.Zero, u2 = O.Zero, u3 = O.Zero;
        byte* b0 = B0, b1 = B1, b2 = B2, b3 = B3, c = a + aRow, d = c + aRow;
        nint end = (nint)depth * O.ElementBytes, k = 0;
        for (; k <= end - O.Bytes; k += O.Bytes)
        {
            V x = O.Load(a + k), y = O.Load(c + k), z = O.Load(d + k);
            Add(x, y, z, B.Load(b0 + PlaceOf(k)), ref s0, ref t0, ref u0);
            Add(x, y, z, B.Load(b1 + PlaceOf(k)), ref s1, ref t1, ref u1);
            Add(x, y, z, B.Load(b2 + PlaceOf(k)), ref s2, ref t2, ref u2);
            Add(x, y, z, B.Load(b3 + PlaceOf(k)), ref s3, ref t3, ref u3);
        }

        if (k < end)
        {
            int rest = (int)(end - k) / O.ElementBytes;
            V x = O.LoadPart(a + k, rest), y = O.LoadPart(c + k, rest), z = O.LoadPart(d + k, rest);
            Add(x, y, z, B.LoadPart(b0 + PlaceOf(k), rest), ref s0, ref t0, ref u0);
            Add(x, y, z, B.LoadPart(b1 + PlaceOf(k), rest), ref s1, ref t1, ref u1);
            Add(x, y, z, B.LoadPart(b2 + PlaceOf(k), rest), ref s2, ref t2, ref u2);
            Add(x, y, z, B.LoadPart(b3 + PlaceOf(k), rest), ref s3, ref t3, ref u3);
        }

        O.SumFour(s0, s1, s2, s3, sums);
        O.SumFour(t0, t1, t2, t3, sums + sumRow);
        O.SumFour(u0, u1, u2, u3, sums + 2 * sumRow);
    }

    // Where in a row of b is what lies so many bytes on in one of a.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint PlaceOf(nint k) => B.ElementBytes == O.ElementBytes ? k : k / O.ElementBytes * B.ElementBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(V x, V y, V b, ref V s, ref V t)
    {
        s = O.MultiplyAdd(x, b, s);
        t = O.MultiplyAdd(y, b, t);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(V x, V y, V z, V b, ref V s, ref V t, ref V u)
    {
        s = O.MultiplyAdd(x, b, s);
        t = O.MultiplyAdd(y, b, t);
        u = O.MultiplyAdd(z, b, u);
    }
}
