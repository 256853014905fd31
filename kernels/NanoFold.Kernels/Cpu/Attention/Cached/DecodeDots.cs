using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>Scores of one query over rows of a cache: bound by memory, so what comes next is asked for ahead, and four sums are reduced together.</summary>
internal static unsafe class DecodeDots
{
    private const int LineBytes = 64;

    /// <summary>scores[j] = Σ_d query[d] · keys[j, d].</summary>
    /// <param name="rows">Keys; values are only asked for ahead.</param>
    /// <param name="query">[D].</param>
    /// <param name="depth">D.</param>
    /// <param name="valueDepth">Elements of a value.</param>
    /// <param name="scores">Room for a multiple of four.</param>
    public static void Scores<V>(in CacheRows rows, void* query, int depth, int valueDepth, void* scores)
        where V : struct, ICpuLane<V>
    {
        bool wide = typeof(V) == typeof(Lane16) && Avx512F.IsSupported && depth % Vector512<float>.Count == 0;
        bool narrow = (typeof(V) == typeof(Lane8) || typeof(V) == typeof(Lane16)) && Avx.IsSupported && depth % Vector256<float>.Count == 0;
        void* keys = rows.Keys;
        nint keyRow = rows.KeyRow;
        int j = 0;
        for (; (wide || narrow) && j < rows.Count; j += 4)
        {
            float* k0 = (float*)keys + j * keyRow, k1 = k0 + keyRow, k2 = k1 + keyRow, k3 = k2 + keyRow;
            int left = rows.Count - j;
            if (left < 4)
            {
                // The last one takes the places of those that are missing.
                k1 = left > 1 ? k1 : k0;
                k2 = left > 2 ? k2 : k1;
                k3 = k2;
            }

            Fetch<V>(rows, j, Math.Min(left, 4), depth, valueDepth);
            (wide ? Wide(k0, k1, k2, k3, (float*)query, depth) : Narrow(k0, k1, k2, k3, (float*)query, depth)).Store((float*)scores + j);
        }

        for (; j < rows.Count; j++)
        {
            Fetch<V>(rows, j, 1, depth, valueDepth);
            Element.Set<V>(scores, j, HeadRow.Dot<V>(Element.At<V>(keys, j * keyRow), query, depth));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch<V>(in CacheRows rows, int first, int count, int depth, int valueDepth)
        where V : struct, ICpuLane<V>
    {
        if (rows.AheadKeys is not null)
        {
            for (int j = first; j < first + count; j++)
            {
                Fetch(Element.At<V>(rows.AheadKeys, j * rows.AheadKeyRow), depth * (int)Element.Size<V>());
                Fetch(Element.At<V>(rows.AheadValues, j * rows.AheadValueRow), valueDepth * (int)Element.Size<V>());
            }
        }
    }

    /// <summary>A hint only: addresses past the end do no harm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(void* row, int bytes)
    {
        if (Sse.IsSupported)
        {
            for (int i = 0; i < bytes; i += LineBytes)
            {
                Sse.Prefetch0((byte*)row + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Wide(float* k0, float* k1, float* k2, float* k3, float* query, int depth)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (nint d = 0; d < depth; d += Vector512<float>.Count)
        {
            Vector512<float> q = Vector512.Load(query + d);
            s0 = Vector512.MultiplyAddEstimate(q, Vector512.Load(k0 + d), s0);
            s1 = Vector512.MultiplyAddEstimate(q, Vector512.Load(k1 + d), s1);
            s2 = Vector512.MultiplyAddEstimate(q, Vector512.Load(k2 + d), s2);
            s3 = Vector512.MultiplyAddEstimate(q, Vector512.Load(k3 + d), s3);
        }

        return FourSums.Of(s0, s1, s2, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Narrow(float* k0, float* k1, float* k2, float* k3, float* query, int depth)
    {
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (nint d = 0; d < depth; d += Vector256<float>.Count)
        {
            Vector256<float> q = Vector256.Load(query + d);
            s0 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k0 + d), s0);
            s1 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k1 + d), s1);
            s2 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k2 + d), s2);
            s3 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k3 + d), s3);
        }

        return FourSums.Of(s0, s1, s2, s3);
    }
}
