using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Stored;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>How a vector of elements is read from memory that may hold them in another type.</summary>
internal unsafe interface IRowLoads<V>
    where V : struct
{
    /// <summary>In memory.</summary>
    static abstract int ElementBytes { get; }

    static abstract V Load(byte* source);

    /// <summary>The first <paramref name="count"/> elements, the rest 0; touches no memory after them.</summary>
    static abstract V LoadPart(byte* source, int count);
}

/// <summary>As they are.</summary>
internal readonly unsafe struct OwnLoads<O, V> : IRowLoads<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    public static int ElementBytes => O.ElementBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* source) => O.Load(source);

    public static V LoadPart(byte* source, int count) => O.LoadPart(source, count);
}

/// <summary>As they are, from memory that is asked for ahead: of streams as short as rows the processor looks too few lines ahead by itself, and not beyond a page.</summary>
internal readonly unsafe struct FarLoads<O, V> : IRowLoads<V>
    where O : struct, IVectorOps<V>
    where V : struct
{
    /// <summary>Bytes; of 512 to 4,096 the best for all types of weights on a Zen 5.</summary>
    public const int Ahead = 1536;

    public static int ElementBytes => O.ElementBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* source)
    {
        Prefetch.Line(source + Ahead);
        return O.Load(source);
    }

    public static V LoadPart(byte* source, int count) => O.LoadPart(source, count);
}

/// <summary>Floats from numbers of 16 bits, which a type says how to widen.</summary>
internal readonly unsafe struct NarrowLoads<W, V> : IRowLoads<V>
    where W : struct, IWidening
    where V : struct
{
    private const int MostLanes = 16;

    public static int ElementBytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load(byte* source)
    {
        if (typeof(V) == typeof(Vector512<float>))
        {
            Vector512<int> bits = Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(Vector256.Load((ushort*)source)) : Vector512.Create(Eight(source), Eight(source + 16));
            return (V)(object)W.Widen(bits);
        }

        return typeof(V) == typeof(Vector256<float>) ? (V)(object)W.Widen(Eight(source))
            : typeof(V) == typeof(Vector128<float>) ? (V)(object)W.Widen(Vector128.Create(source[0] | source[1] << 8, source[2] | source[3] << 8, source[4] | source[5] << 8, source[6] | source[7] << 8))
            : (V)(object)W.Widen(Vector128.CreateScalar((int)*(ushort*)source)).ToScalar();
    }

    public static V LoadPart(byte* source, int count)
    {
        ushort* part = stackalloc ushort[MostLanes];
        new Span<ushort>(part, MostLanes).Clear();
        new ReadOnlySpan<ushort>(source, count).CopyTo(new Span<ushort>(part, MostLanes));
        return Load((byte*)part);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Eight(byte* source)
    {
        Vector128<ushort> bits = Vector128.Load((ushort*)source);
        return Avx2.IsSupported ? Avx2.ConvertToVector256Int32(bits) : Vector256.Create(Vector128.WidenLower(bits), Vector128.WidenUpper(bits)).AsInt32();
    }
}

/// <summary>The lower halves of integers as floats.</summary>
internal interface IWidening
{
    static abstract Vector512<float> Widen(Vector512<int> bits);

    static abstract Vector256<float> Widen(Vector256<int> bits);

    static abstract Vector128<float> Widen(Vector128<int> bits);
}

/// <summary>bfloat16: the upper halves of floats.</summary>
internal readonly struct BFloatWidening : IWidening
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(Vector512<int> bits) => (bits << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(Vector256<int> bits) => (bits << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Widen(Vector128<int> bits) => (bits << 16).AsSingle();
}

/// <summary>Half precision, see <see cref="StoredRows.HalfScale"/>.</summary>
internal readonly struct HalfWidening : IWidening
{
    // The sign, moved to its place, then exponent and mantissa to theirs.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(Vector512<int> bits) => (((bits << 16) >> 3) & Vector512.Create(StoredRows.HalfBits)).AsSingle() * Vector512.Create(StoredRows.HalfScale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(Vector256<int> bits) => (((bits << 16) >> 3) & Vector256.Create(StoredRows.HalfBits)).AsSingle() * Vector256.Create(StoredRows.HalfScale);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Widen(Vector128<int> bits) => (((bits << 16) >> 3) & Vector128.Create(StoredRows.HalfBits)).AsSingle() * Vector128.Create(StoredRows.HalfScale);
}
