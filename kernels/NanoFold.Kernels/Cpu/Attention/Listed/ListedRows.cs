using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>
/// What attention over lists of keys is made of: products of one row with the rows that a list picks of a tensor, <c>row</c> elements apart. The
/// order of each sum depends on the depth and the list only.
/// </summary>
internal static unsafe class ListedRows
{
    /// <summary>target[i] = x · rows[keys[i]].</summary>
    public static void Dots<V>(void* x, void* rows, nint row, int* keys, int count, int depth, void* target)
        where V : struct, ICpuLane<V>
    {
        nint whole = depth / V.Width * V.Width;
        int rest = depth - (int)whole, last = count - 1;
        for (int i = 0; i < count; i += 4)
        {
            // Of the last few the last one is computed again, so that every product is summed alike.
            void* a = Element.At<V>(rows, keys[i] * row), b = Element.At<V>(rows, keys[Math.Min(i + 1, last)] * row);
            void* c = Element.At<V>(rows, keys[Math.Min(i + 2, last)] * row), d = Element.At<V>(rows, keys[Math.Min(i + 3, last)] * row);
            V sumA = default, sumB = default, sumC = default, sumD = default;
            for (nint e = 0; e < whole; e += V.Width)
            {
                V own = V.Load(x, e);
                sumA = V.MultiplyAdd(own, V.Load(a, e), sumA);
                sumB = V.MultiplyAdd(own, V.Load(b, e), sumB);
                sumC = V.MultiplyAdd(own, V.Load(c, e), sumC);
                sumD = V.MultiplyAdd(own, V.Load(d, e), sumD);
            }

            if (rest > 0)
            {
                V own = V.LoadPart(x, whole, rest);
                sumA = V.MultiplyAdd(own, V.LoadPart(a, whole, rest), sumA);
                sumB = V.MultiplyAdd(own, V.LoadPart(b, whole, rest), sumB);
                sumC = V.MultiplyAdd(own, V.LoadPart(c, whole, rest), sumC);
                sumD = V.MultiplyAdd(own, V.LoadPart(d, whole, rest), sumD);
            }

            StoreSums(sumA, sumB, sumC, sumD, Element.At<V>(target, i), Math.Min(4, count - i));
        }
    }

    /// <summary>target += Σ weights[i] · rows[keys[i]].</summary>
    /// <param name="target">Padded to whole lanes.</param>
    public static void AddWeighted<V>(void* weights, void* rows, nint row, int* keys, int count, void* target, int depth)
        where V : struct, ICpuLane<V>
    {
        nint d = 0;
        for (; d + (4 * V.Width) <= depth; d += 4 * V.Width)
        {
            V sumA = V.Load(target, d), sumB = V.Load(target, d + V.Width), sumC = V.Load(target, d + (2 * V.Width)), sumD = V.Load(target, d + (3 * V.Width));
            for (int i = 0; i < count; i++)
            {
                V weight = V.Splat(weights, i);
                void* a = Element.At<V>(rows, (keys[i] * row) + d);
                sumA = V.MultiplyAdd(weight, V.Load(a, 0), sumA);
                sumB = V.MultiplyAdd(weight, V.Load(a, V.Width), sumB);
                sumC = V.MultiplyAdd(weight, V.Load(a, 2 * V.Width), sumC);
                sumD = V.MultiplyAdd(weight, V.Load(a, 3 * V.Width), sumD);
            }

            V.Store(target, d, sumA);
            V.Store(target, d + V.Width, sumB);
            V.Store(target, d + (2 * V.Width), sumC);
            V.Store(target, d + (3 * V.Width), sumD);
        }

        for (; d + V.Width <= depth; d += V.Width)
        {
            V sum = V.Load(target, d);
            for (int i = 0; i < count; i++)
            {
                sum = V.MultiplyAdd(V.Splat(weights, i), V.Load(rows, (keys[i] * row) + d), sum);
            }

            V.Store(target, d, sum);
        }

        if (d < depth)
        {
            V sum = V.Load(target, d);
            for (int i = 0; i < count; i++)
            {
                sum = V.MultiplyAdd(V.Splat(weights, i), V.LoadPart(rows, (keys[i] * row) + d, depth - (int)d), sum);
            }

            V.Store(target, d, sum);
        }
    }

    /// <summary>rows[keys[i]] += weights[i] · x.</summary>
    /// <param name="rows">Padded to whole lanes.</param>
    public static void Spread<V>(void* weights, void* x, int* keys, int count, void* rows, nint row, int depth)
        where V : struct, ICpuLane<V>
    {
        nint d = 0;
        for (; d + (4 * V.Width) <= depth; d += 4 * V.Width)
        {
            V a = V.Load(x, d), b = V.Load(x, d + V.Width), c = V.Load(x, d + (2 * V.Width)), e = V.Load(x, d + (3 * V.Width));
            for (int i = 0; i < count; i++)
            {
                V weight = V.Splat(weights, i);
                void* target = Element.At<V>(rows, (keys[i] * row) + d);
                V.Store(target, 0, V.MultiplyAdd(weight, a, V.Load(target, 0)));
                V.Store(target, V.Width, V.MultiplyAdd(weight, b, V.Load(target, V.Width)));
                V.Store(target, 2 * V.Width, V.MultiplyAdd(weight, c, V.Load(target, 2 * V.Width)));
                V.Store(target, 3 * V.Width, V.MultiplyAdd(weight, e, V.Load(target, 3 * V.Width)));
            }
        }

        for (; d < depth; d += V.Width)
        {
            V own = depth - d >= V.Width ? V.Load(x, d) : V.LoadPart(x, d, depth - (int)d);
            for (int i = 0; i < count; i++)
            {
                void* target = Element.At<V>(rows, (keys[i] * row) + d);
                V.Store(target, 0, V.MultiplyAdd(V.Splat(weights, i), own, V.Load(target, 0)));
            }
        }
    }

    // The sums of up to four lanes: side by side where the machine adds neighbors.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreSums<V>(V a, V b, V c, V d, void* target, int count)
        where V : struct, ICpuLane<V>
    {
        if ((typeof(V) == typeof(Lane16) || typeof(V) == typeof(Lane8)) && Avx.IsSupported)
        {
            Vector256<float> pairs = Avx.HorizontalAdd(Avx.HorizontalAdd(Eight(a), Eight(b)), Avx.HorizontalAdd(Eight(c), Eight(d)));
            Vector128<float> sums = pairs.GetLower() + pairs.GetUpper();
            if (count == 4)
            {
                sums.Store((float*)target);
                return;
            }

            for (int i = 0; i < count; i++)
            {
                ((float*)target)[i] = sums.GetElement(i);
            }

            return;
        }

        Element.Set<V>(target, 0, V.Sum(a));
        if (count > 1)
        {
            Element.Set<V>(target, 1, V.Sum(b));
        }

        if (count > 2)
        {
            Element.Set<V>(target, 2, V.Sum(c));
        }

        if (count > 3)
        {
            Element.Set<V>(target, 3, V.Sum(d));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Eight<V>(V lane)
        where V : struct, ICpuLane<V>
        => typeof(V) == typeof(Lane16) ? ((Lane16)(object)lane).Value.GetLower() + ((Lane16)(object)lane).Value.GetUpper() : ((Lane8)(object)lane).Value;

    /// <summary>How many of the keys from one on are before <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Before(int* keys, int first, int count, int end)
    {
        int i = first;
        while (i < count && keys[i] < end)
        {
            i++;
        }

        return i - first;
    }
}
