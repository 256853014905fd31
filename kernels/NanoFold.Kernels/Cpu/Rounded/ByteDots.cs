using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>
/// 32 products of bytes in eight integers, of which each has the sum of four neighboring ones. Activations x lie in [−127, 127], so that nothing overflows; every form gives the same integers.
/// </summary>
internal interface IByteDots
{
    /// <summary>Σ w x with signed weights.</summary>
    /// <param name="start">−128 Σ x, for forms that have instructions for unsigned weights only.</param>
    static abstract Vector256<int> Signed(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x);

    /// <summary>start + Σ w x with weights in [0, 15].</summary>
    static abstract Vector256<int> Unsigned(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x);
}

/// <summary>One instruction for all of it. With w + 128 as unsigned bytes the sum is too large by 128 Σ x.</summary>
internal readonly struct VnniDots : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Signed(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x) => AvxVnni.MultiplyWideningAndAdd(start, w ^ Vector256.Create((byte)0x80), x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Unsigned(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x) => AvxVnni.MultiplyWideningAndAdd(start, w, x);
}

/// <summary>By pairs in 16 bits, which hold 2 · 128 · 127: the sign of w goes to x.</summary>
internal readonly struct PairDots : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Signed(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x) =>
        Four(Avx2.MultiplyAddAdjacent(Avx2.Abs(w.AsSByte()), Avx2.Sign(x, w.AsSByte())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Unsigned(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x) => start + Four(Avx2.MultiplyAddAdjacent(w, x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Four(Vector256<short> pairs) => Avx2.MultiplyAddAdjacent(pairs, Vector256.Create((short)1));
}

/// <summary>Byte by byte of every four, on any machine.</summary>
internal readonly struct PortableDots : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Signed(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x) => Unsigned(default, w, x);

    // Weights in [0, 15] are the same with a sign.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Unsigned(Vector256<int> start, Vector256<byte> w, Vector256<sbyte> x)
    {
        Vector256<int> a = w.AsInt32(), b = x.AsInt32();
        return start + ((a << 24 >> 24) * (b << 24 >> 24)) + ((a << 16 >> 24) * (b << 16 >> 24)) + ((a << 8 >> 24) * (b << 8 >> 24)) + ((a >> 24) * (b >> 24));
    }
}
