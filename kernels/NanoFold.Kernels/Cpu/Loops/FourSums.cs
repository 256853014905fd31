using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>
/// The sums of four vectors of floats in one, in a third of the instructions of four sums and to their bits: neighbors are added, then pairs of neighbors, then
/// lanes of 128 bits in the same way.
/// </summary>
internal static unsafe class FourSums
{
    private const MethodImplOptions Inline = MethodImplOptions.AggressiveInlining;

    // The even and the odd elements of two vectors, two of each in every 128 bits.
    private const byte Even = 0b10_00_10_00, Odd = 0b11_01_11_01;

    [MethodImpl(Inline)]
    public static Vector128<float> Of(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (!Sse.IsSupported)
        {
            return Vector128.Create(Vector128.Sum(a), Vector128.Sum(b), Vector128.Sum(c), Vector128.Sum(d));
        }

        Vector128<float> ab = Sse.Shuffle(a, b, Even) + Sse.Shuffle(a, b, Odd), cd = Sse.Shuffle(c, d, Even) + Sse.Shuffle(c, d, Odd);
        return Sse.Shuffle(ab, cd, Even) + Sse.Shuffle(ab, cd, Odd);
    }

    [MethodImpl(Inline)]
    public static Vector128<float> Of(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        if (!Avx.IsSupported)
        {
            return Of(a.GetLower(), b.GetLower(), c.GetLower(), d.GetLower()) + Of(a.GetUpper(), b.GetUpper(), c.GetUpper(), d.GetUpper());
        }

        Vector256<float> ab = Avx.Shuffle(a, b, Even) + Avx.Shuffle(a, b, Odd), cd = Avx.Shuffle(c, d, Even) + Avx.Shuffle(c, d, Odd);
        Vector256<float> sums = Avx.Shuffle(ab, cd, Even) + Avx.Shuffle(ab, cd, Odd);
        return sums.GetLower() + sums.GetUpper();
    }

    [MethodImpl(Inline)]
    public static Vector128<float> Of(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        if (!Avx512F.IsSupported)
        {
            return Of(a.GetLower(), b.GetLower(), c.GetLower(), d.GetLower()) + Of(a.GetUpper(), b.GetUpper(), c.GetUpper(), d.GetUpper());
        }

        Vector512<float> ab = Avx512F.Shuffle(a, b, Even) + Avx512F.Shuffle(a, b, Odd), cd = Avx512F.Shuffle(c, d, Even) + Avx512F.Shuffle(c, d, Odd);
        Vector512<float> sums = Avx512F.Shuffle(ab, cd, Even) + Avx512F.Shuffle(ab, cd, Odd);
        Vector256<float> lower = sums.GetLower(), upper = sums.GetUpper();
        return (lower.GetLower() + lower.GetUpper()) + (upper.GetLower() + upper.GetUpper());
    }

    /// <summary>Four floats as floats or doubles.</summary>
    [MethodImpl(Inline)]
    public static void Write<E>(Vector128<float> of, E* sums)
        where E : unmanaged
    {
        if (typeof(E) == typeof(float))
        {
            of.Store((float*)sums);
            return;
        }

        (Vector128<double> lower, Vector128<double> upper) = Vector128.Widen(of);
        lower.Store((double*)sums);
        upper.Store((double*)sums + 2);
    }
}
