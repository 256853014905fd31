using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Floats rounded to bfloat16, to nearest and ties to even, as GPUs round; what is no number stays none.</summary>
internal static unsafe class Rounding
{
    /// <summary>Each as a float whose lower 16 bits are 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Round(Vector512<float> values)
    {
        Vector512<uint> bits = values.AsUInt32();
        Vector512<uint> odd = Vector512.ShiftRightLogical(bits, 16) & Vector512.Create(1u);
        Vector512<uint> rounded = bits + Vector512.Create(0x7fffu) + odd;
        Vector512<uint> kept = Vector512.ConditionalSelect(Vector512.Equals(values, values).AsUInt32(), rounded, bits | Vector512.Create(0x400000u));
        return kept & Vector512.Create(0xffff0000u);
    }

    /// <inheritdoc cref="Round(Vector512{float})"/>
    public static float Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint rounded = float.IsNaN(value) ? bits | 0x400000 : bits + 0x7fff + (bits >> 16 & 1);
        return BitConverter.UInt32BitsToSingle(rounded & 0xffff0000);
    }

    /// <summary>Rounds them where they lie.</summary>
    public static void Round(float* values, long count)
    {
        long i = 0;
        for (; i + Vector512<float>.Count <= count; i += Vector512<float>.Count)
        {
            Round(Vector512.Load(values + i)).Store((uint*)values + i);
        }

        for (; i < count; i++)
        {
            values[i] = Round(values[i]);
        }
    }
}
