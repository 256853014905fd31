using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Many floats rounded to bfloat16, each to the bits of <see cref="BFloat16.FromSingle"/>: to nearest and ties to even; what is no number stays none.</summary>
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
            values[i] = BFloat16.ToSingle(BFloat16.FromSingle(values[i]));
        }
    }
}

/// <summary>Rounded to bfloat16 and multiplied as floats: what a processor without a unit for bfloat16 does, with the same products.</summary>
internal readonly unsafe struct RoundedOperands : IOperands<float>
{
    public static bool ReadsInPlace => false;

    public static int StepDepth => 1;

    public static int StepUnit => 1;

    public static int RowUnit => 1;

    public static void PackPanels(in Lines source, int width, float* target)
    {
        PlainOperands<float>.PackPanels(source, width, target);
        Rounding.Round(target, (long)BlockPlan.Ceiling(source.Count, width) * width * source.Depth);
    }

    public static void PackStrips(in Lines source, int width, float* target) => PackPanels(source, width, target);
}
