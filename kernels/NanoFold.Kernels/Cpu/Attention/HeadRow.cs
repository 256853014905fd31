using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Operations on single rows of a head dimension; tensors may end right after their last element.</summary>
internal static unsafe class HeadRow
{
    /// <summary>target = factor · source, or added to it.</summary>
    /// <param name="source">Padded to whole lanes.</param>
    public static void Write<V>(void* source, void* target, int depth, V factor, bool accumulate = false)
        where V : struct, ICpuLane<V>
    {
        nint i = 0;
        for (; i + V.Width <= depth; i += V.Width)
        {
            V value = V.Load(source, i) * factor;
            V.Store(target, i, accumulate ? V.Load(target, i) + value : value);
        }

        if (i < depth)
        {
            int rest = depth - (int)i;
            V value = V.Load(source, i) * factor;
            V.StorePart(target, i, rest, accumulate ? V.LoadPart(target, i, rest) + value : value);
        }
    }

    /// <summary>Rows target[i] = factors[i · factorStep] · source[i], or added to them.</summary>
    /// <param name="source">Rows padded to whole lanes, <paramref name="sourceRow"/> elements apart.</param>
    public static void WriteRows<V>(
        void* source, nint sourceRow, void* target, nint targetRow, int rows, int depth, void* factors, nint factorStep, bool accumulate = false)
        where V : struct, ICpuLane<V>
    {
        nint whole = depth / V.Width * V.Width;
        for (nint r = 0; r < rows; r++)
        {
            void* from = Element.At<V>(source, r * sourceRow), to = Element.At<V>(target, r * targetRow);
            V factor = V.Splat(factors, r * factorStep);
            if (accumulate || whole < depth)
            {
                Write(from, to, depth, factor, accumulate);
                continue;
            }

            for (nint i = 0; i < whole; i += V.Width)
            {
                V.Store(to, i, V.Load(from, i) * factor);
            }
        }
    }

    public static void Zero<V>(void* target, nint count)
        where V : struct, ICpuLane<V>
        => new Span<byte>(target, checked((int)(count * Element.Size<V>()))).Clear();

    public static void ZeroRows<V>(void* target, nint row, int rows, int depth)
        where V : struct, ICpuLane<V>
    {
        for (nint r = 0; r < rows; r++)
        {
            Zero<V>(Element.At<V>(target, r * row), depth);
        }
    }

    /// <summary>target[i] = Σ a · b over rows i.</summary>
    public static void Dots<V>(void* a, nint aRow, void* b, nint bRow, int rows, int depth, void* target)
        where V : struct, ICpuLane<V>
    {
        nint r = 0;
        for (; r + 4 <= rows && V.Width >= 8; r += 4)
        {
            V p0 = Products<V>(Element.At<V>(a, r * aRow), Element.At<V>(b, r * bRow), depth);
            V p1 = Products<V>(Element.At<V>(a, (r + 1) * aRow), Element.At<V>(b, (r + 1) * bRow), depth);
            V p2 = Products<V>(Element.At<V>(a, (r + 2) * aRow), Element.At<V>(b, (r + 2) * bRow), depth);
            V p3 = Products<V>(Element.At<V>(a, (r + 3) * aRow), Element.At<V>(b, (r + 3) * bRow), depth);
            SumFour(p0, p1, p2, p3).Store((float*)target + r);
        }

        for (; r < rows; r++)
        {
            Element.Set<V>(target, r, Dot<V>(Element.At<V>(a, r * aRow), Element.At<V>(b, r * bRow), depth));
        }
    }

    /// <summary>Σ a · b over a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Dot<V>(void* a, void* b, int depth)
        where V : struct, ICpuLane<V>
        => V.Sum(Products<V>(a, b, depth));

    /// <summary>target += factor · source.</summary>
    /// <param name="target">Padded to whole lanes.</param>
    public static void AddScaled<V>(V factor, void* source, void* target, int depth)
        where V : struct, ICpuLane<V>
    {
        nint i = 0;
        for (; i + V.Width <= depth; i += V.Width)
        {
            V.Store(target, i, V.MultiplyAdd(factor, V.Load(source, i), V.Load(target, i)));
        }

        if (i < depth)
        {
            V.Store(target, i, V.MultiplyAdd(factor, V.LoadPart(source, i, depth - (int)i), V.Load(target, i)));
        }
    }

    /// <summary>Σ a · b over a row but for the sum of a lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Products<V>(void* a, void* b, int depth)
        where V : struct, ICpuLane<V>
    {
        V sum = default, other = default;
        nint i = 0;
        for (; i + 2 * V.Width <= depth; i += 2 * V.Width)
        {
            sum = V.MultiplyAdd(V.Load(a, i), V.Load(b, i), sum);
            other = V.MultiplyAdd(V.Load(a, i + V.Width), V.Load(b, i + V.Width), other);
        }

        for (; i + V.Width <= depth; i += V.Width)
        {
            sum = V.MultiplyAdd(V.Load(a, i), V.Load(b, i), sum);
        }

        if (i < depth)
        {
            int rest = depth - (int)i;
            sum = V.MultiplyAdd(V.LoadPart(a, i, rest), V.LoadPart(b, i, rest), sum);
        }

        return sum + other;
    }

    /// <summary>The sums of four lanes of 8 or 16 floats, each to the bits of its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> SumFour<V>(V a, V b, V c, V d)
        where V : struct, ICpuLane<V>
        => typeof(V) == typeof(Lane16)
            ? Ops512.SumFour(((Lane16)(object)a).Value, ((Lane16)(object)b).Value, ((Lane16)(object)c).Value, ((Lane16)(object)d).Value)
            : Ops256.SumFour(((Lane8)(object)a).Value, ((Lane8)(object)b).Value, ((Lane8)(object)c).Value, ((Lane8)(object)d).Value);
}
