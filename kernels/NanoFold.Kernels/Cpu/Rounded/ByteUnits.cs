using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>32 weights as bytes, in the order of their places.</summary>
internal unsafe interface IByteUnit
{
    /// <summary>From one to the next.</summary>
    static abstract int Bytes { get; }

    /// <summary>Whether they have a sign; otherwise they lie in [0, 15].</summary>
    static abstract bool IsSigned { get; }

    /// <summary>Whether they were unpacked before.</summary>
    static abstract bool IsUnpacked { get; }

    /// <summary>What sums of products start with, for each x in them.</summary>
    static abstract int Offset { get; }

    static abstract Vector256<byte> Load(byte* unit);
}

/// <summary>A block of <see cref="DType.Q8_0"/>.</summary>
internal readonly unsafe struct Q8Bytes : IByteUnit
{
    public static int Bytes => 34;

    public static bool IsSigned => true;

    public static bool IsUnpacked => false;

    public static int Offset => -128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* unit) => Vector256.Load(unit + 2);
}

/// <summary>A block of <see cref="DType.Q4_0"/>.</summary>
internal readonly unsafe struct Q4Bytes : IByteUnit
{
    public static int Bytes => 18;

    public static bool IsSigned => false;

    public static bool IsUnpacked => false;

    public static int Offset => -8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* unit) => Split(unit + 2);

    /// <summary>The low halves of 16 bytes, then the high ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Split(byte* codes)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ShiftRightLogicalVariable(Avx2.BroadcastVector128ToVector256(codes).AsUInt32(), Vector256.Create(0u, 0, 0, 0, 4, 4, 4, 4)).AsByte() & Vector256.Create((byte)15);
        }

        Vector128<byte> both = Vector128.Load(codes);
        return Vector256.Create(both, both >>> 4) & Vector256.Create((byte)15);
    }
}

/// <summary>A block of <see cref="DType.Q4_1"/>.</summary>
internal readonly unsafe struct Q4FromBytes : IByteUnit
{
    public static int Bytes => 20;

    public static bool IsSigned => false;

    public static bool IsUnpacked => false;

    public static int Offset => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* unit) => Q4Bytes.Split(unit + 4);
}

/// <summary>The weights of <typeparamref name="F"/>, unpacked: for many rows.</summary>
internal readonly unsafe struct Unpacked<F> : IByteUnit
    where F : struct, IByteUnit
{
    public static int Bytes => DTypeExtensions.BlockValues;

    public static bool IsSigned => F.IsSigned;

    public static bool IsUnpacked => true;

    public static int Offset => F.Offset;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* unit) => Vector256.Load(unit);
}
