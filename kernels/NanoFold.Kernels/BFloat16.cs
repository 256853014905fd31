using System.Runtime.CompilerServices;

namespace NanoFold.Kernels;

/// <summary>Bits of bfloat16: the upper half of a float.</summary>
public static class BFloat16
{
    public static float ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Rounds to nearest, ties to even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)(bits >> 16 | 0x40)
            : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}
