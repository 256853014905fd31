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
    public static void Scores<V>(in CacheRows rows, void* query, int depth, int valueDepth, void* scores)
        where V : struct, ICpuLane<V>
    {
        bool four = typeof(V) == typeof(Lane8) && Avx.IsSupported && depth % Vector256<float>.Count == 0;
        void* keys = rows.Keys;
        nint keyRow = rows.KeyRow;
        int j = 0;
        for (; four && j + 4 <= rows.Count; j += 4)
        {
            Fetch<V>(rows, j, 4, depth, valueDepth);
            Four((float*)keys + j * keyRow, keyRow, (float*)query, depth).Store((float*)scores + j);
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
    private static Vector128<float> Four(float* keys, nint keyRow, float* query, int depth)
    {
        float* k1 = keys + keyRow, k2 = k1 + keyRow, k3 = k2 + keyRow;
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (nint d = 0; d < depth; d += Vector256<float>.Count)
        {
            Vector256<float> q = Vector256.Load(query + d);
            s0 = Vector256.MultiplyAddEstimate(q, Vector256.Load(keys + d), s0);
            s1 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k1 + d), s1);
            s2 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k2 + d), s2);
            s3 = Vector256.MultiplyAddEstimate(q, Vector256.Load(k3 + d), s3);
        }

        Vector256<float> sums = Avx.HorizontalAdd(Avx.HorizontalAdd(s0, s1), Avx.HorizontalAdd(s2, s3));
        return sums.GetLower() + sums.GetUpper();
    }
}
