using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Comparisons of two lanes as bits, the lowest for the first element.</summary>
internal static class LaneBits
{
    /// <summary>a &gt; b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Greater<V>(V a, V b)
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane16))
        {
            return (uint)Vector512.GreaterThan(((Lane16)(object)a).Value, ((Lane16)(object)b).Value).ExtractMostSignificantBits();
        }

        if (typeof(V) == typeof(Lane8))
        {
            return Vector256.GreaterThan(((Lane8)(object)a).Value, ((Lane8)(object)b).Value).ExtractMostSignificantBits();
        }

        return OneByOne(V.SelectGreater(a, b, V.Constant(1), default));
    }

    /// <summary>a ≥ b, of numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NotLess<V>(V a, V b)
        where V : struct, ICpuLane<V>
        => Greater(b, a) ^ (uint)((1UL << V.Width) - 1);

    /// <summary>Not a = b; what is not a number differs from all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Differ<V>(V a, V b)
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane16))
        {
            return ~(uint)Vector512.Equals(((Lane16)(object)a).Value, ((Lane16)(object)b).Value).ExtractMostSignificantBits() & 0xffff;
        }

        if (typeof(V) == typeof(Lane8))
        {
            return ~Vector256.Equals(((Lane8)(object)a).Value, ((Lane8)(object)b).Value).ExtractMostSignificantBits() & 0xff;
        }

        return OneByOne(a - b);
    }

    private static unsafe uint OneByOne<V>(V isNotZero)
        where V : struct, ICpuLane<V>
    {
        double* elements = stackalloc double[8];
        V.Store(elements, 0, isNotZero);
        uint bits = 0;
        for (int i = 0; i < V.Width; i++)
        {
            bits |= (Loops.Element.Get<V>(elements, i) != 0 ? 1u : 0) << i;
        }

        return bits;
    }
}
