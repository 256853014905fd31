using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Stored;

/// <summary>32 weights of a type of files, widened in registers to two vectors of 16 floats, the values of <see cref="StoredRows.Widen"/>.</summary>
internal unsafe interface IStoredUnit
{
    /// <summary>Bytes of 32 weights.</summary>
    static abstract int Bytes { get; }

    /// <summary>Numbers of half precision that they begin with.</summary>
    static abstract int Scales { get; }

    /// <summary>What all of them share: their scale, or the values of their codes.</summary>
    /// <param name="scales">Those they begin with, as floats.</param>
    static abstract Vector512<float> Shared(float* scales);

    /// <summary>The first 16.</summary>
    static abstract Vector512<float> Low(byte* unit, Vector512<float> shared);

    /// <summary>The last 16.</summary>
    static abstract Vector512<float> High(byte* unit, Vector512<float> shared);
}

/// <summary>The upper halves of floats.</summary>
internal readonly unsafe struct BFloatUnit : IStoredUnit
{
    public static int Bytes => 64;

    public static int Scales => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Shared(float* scales) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Low(byte* unit, Vector512<float> shared) => Sixteen(unit);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> High(byte* unit, Vector512<float> shared) => Sixteen(unit + 32);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sixteen(byte* source) => (Avx512F.ConvertToVector512UInt32(Vector256.Load((ushort*)source)) << 16).AsSingle();
}

/// <summary>Half precision. There is no instruction for it here, but a shift, a mask and an exact product.</summary>
internal readonly unsafe struct HalfUnit : IStoredUnit
{
    public static int Bytes => 64;

    public static int Scales => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Shared(float* scales) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Low(byte* unit, Vector512<float> shared) => Sixteen((short*)unit);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> High(byte* unit, Vector512<float> shared) => Sixteen((short*)unit + 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sixteen(short* source) =>
        ((Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 13) & Vector512.Create(StoredRows.HalfBits)).AsSingle() * Vector512.Create(StoredRows.HalfScale);
}

/// <summary>q · d.</summary>
internal readonly unsafe struct Q8Unit : IStoredUnit
{
    public static int Bytes => 34;

    public static int Scales => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Shared(float* scales) => Vector512.Create(*scales);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Low(byte* unit, Vector512<float> shared) => Sixteen(unit + 2) * shared;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> High(byte* unit, Vector512<float> shared) => Sixteen(unit + 18) * shared;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sixteen(byte* q) => Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(Vector128.Load((sbyte*)q)));
}

/// <summary>(q − 8) · d, looked up: a block has 16 values at most.</summary>
internal readonly unsafe struct Q4Unit : IStoredUnit
{
    public static int Bytes => 18;

    public static int Scales => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Shared(float* scales) => Vector512.Create(-8f, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7) * Vector512.Create(*scales);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Low(byte* unit, Vector512<float> shared) => Nibbles.Low(unit + 2, shared);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> High(byte* unit, Vector512<float> shared) => Nibbles.High(unit + 2, shared);
}

/// <summary>q · d + m, looked up.</summary>
internal readonly unsafe struct Q4FromUnit : IStoredUnit
{
    public static int Bytes => 20;

    public static int Scales => 2;

    // q · d is exact, so that it does not matter that nothing is rounded between product and sum.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Shared(float* scales) =>
        Avx512F.FusedMultiplyAdd(Vector512.Create(0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), Vector512.Create(scales[0]), Vector512.Create(scales[1]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Low(byte* unit, Vector512<float> shared) => Nibbles.Low(unit + 4, shared);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> High(byte* unit, Vector512<float> shared) => Nibbles.High(unit + 4, shared);
}

/// <summary>Codes of 4 bits as places in a table of 16; bits above are not looked at.</summary>
internal static unsafe class Nibbles
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Low(byte* codes, Vector512<float> table) => Avx512F.PermuteVar16x32(table, Wide(codes));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> High(byte* codes, Vector512<float> table) => Avx512F.PermuteVar16x32(table, Wide(codes) >>> 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Wide(byte* codes) => Avx512F.ConvertToVector512Int32(Vector128.Load(codes));
}
