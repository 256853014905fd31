using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// Register-blocked products, C[r, n] (+)= Σ_k A[r, k] · B[k, n], for 6 rows and two lanes (12 accumulators, two lanes of B and
/// one broadcast: 15 of 16 vector registers) or one lane. Element (r, k) of A lies at r · rowStride + k · stepStride, so one
/// kernel reads A and its transpose. Where fewer than 6 rows are valid the last one is computed again and stored with equal bits.
/// </summary>
internal static unsafe class Tiles
{
    public const int Rows = 6;

    /// <summary>A tile of two lanes.</summary>
    /// <param name="a">A[0, 0].</param>
    /// <param name="rows">Valid rows, 1 to 6.</param>
    /// <param name="count">Steps of k.</param>
    /// <param name="b">B[0, 0]; steps are bStep elements apart.</param>
    /// <param name="c">C[0, 0]; rows are cRow elements apart.</param>
    /// <param name="accumulate">Whether C is added to.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Two<V>(void* a, nint rowStride, nint stepStride, int rows, int count, void* b, nint bStep, void* c, nint cRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        nint r1 = Math.Min(1, rows - 1), r2 = Math.Min(2, rows - 1), r3 = Math.Min(3, rows - 1), r4 = Math.Min(4, rows - 1), r5 = rows - 1;
        void* a1 = Element.At<V>(a, r1 * rowStride);
        void* a2 = Element.At<V>(a, r2 * rowStride);
        void* a3 = Element.At<V>(a, r3 * rowStride);
        void* a4 = Element.At<V>(a, r4 * rowStride);
        void* a5 = Element.At<V>(a, r5 * rowStride);
        V c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        V c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        if (accumulate)
        {
            c00 = V.Load(c, 0);
            c01 = V.Load(c, V.Width);
            c10 = V.Load(c, r1 * cRow);
            c11 = V.Load(c, r1 * cRow + V.Width);
            c20 = V.Load(c, r2 * cRow);
            c21 = V.Load(c, r2 * cRow + V.Width);
            c30 = V.Load(c, r3 * cRow);
            c31 = V.Load(c, r3 * cRow + V.Width);
            c40 = V.Load(c, r4 * cRow);
            c41 = V.Load(c, r4 * cRow + V.Width);
            c50 = V.Load(c, r5 * cRow);
            c51 = V.Load(c, r5 * cRow + V.Width);
        }

        nint i = 0;
        for (; count > 0; count--)
        {
            V b0 = V.Load(b, 0);
            V b1 = V.Load(b, V.Width);
            b = Element.At<V>(b, bStep);
            V x = V.Splat(a, i);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Splat(a1, i);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Splat(a2, i);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Splat(a3, i);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Splat(a4, i);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Splat(a5, i);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            i += stepStride;
        }

        V.Store(c, 0, c00);
        V.Store(c, V.Width, c01);
        V.Store(c, r1 * cRow, c10);
        V.Store(c, r1 * cRow + V.Width, c11);
        V.Store(c, r2 * cRow, c20);
        V.Store(c, r2 * cRow + V.Width, c21);
        V.Store(c, r3 * cRow, c30);
        V.Store(c, r3 * cRow + V.Width, c31);
        V.Store(c, r4 * cRow, c40);
        V.Store(c, r4 * cRow + V.Width, c41);
        V.Store(c, r5 * cRow, c50);
        V.Store(c, r5 * cRow + V.Width, c51);
    }

    /// <summary>A tile of one lane; parameters as in <see cref="Two{V}"/>.</summary>
    public static void One<V>(void* a, nint rowStride, nint stepStride, int rows, int count, void* b, nint bStep, void* c, nint cRow, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        nint r1 = Math.Min(1, rows - 1), r2 = Math.Min(2, rows - 1), r3 = Math.Min(3, rows - 1), r4 = Math.Min(4, rows - 1), r5 = rows - 1;
        void* a1 = Element.At<V>(a, r1 * rowStride);
        void* a2 = Element.At<V>(a, r2 * rowStride);
        void* a3 = Element.At<V>(a, r3 * rowStride);
        void* a4 = Element.At<V>(a, r4 * rowStride);
        void* a5 = Element.At<V>(a, r5 * rowStride);
        V c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default;
        if (accumulate)
        {
            c0 = V.Load(c, 0);
            c1 = V.Load(c, r1 * cRow);
            c2 = V.Load(c, r2 * cRow);
            c3 = V.Load(c, r3 * cRow);
            c4 = V.Load(c, r4 * cRow);
            c5 = V.Load(c, r5 * cRow);
        }

        nint i = 0;
        for (; count > 0; count--)
        {
            V b0 = V.Load(b, 0);
            b = Element.At<V>(b, bStep);
            c0 = V.MultiplyAdd(V.Splat(a, i), b0, c0);
            c1 = V.MultiplyAdd(V.Splat(a1, i), b0, c1);
            c2 = V.MultiplyAdd(V.Splat(a2, i), b0, c2);
            c3 = V.MultiplyAdd(V.Splat(a3, i), b0, c3);
            c4 = V.MultiplyAdd(V.Splat(a4, i), b0, c4);
            c5 = V.MultiplyAdd(V.Splat(a5, i), b0, c5);
            i += stepStride;
        }

        V.Store(c, 0, c0);
        V.Store(c, r1 * cRow, c1);
        V.Store(c, r2 * cRow, c2);
        V.Store(c, r3 * cRow, c3);
        V.Store(c, r4 * cRow, c4);
        V.Store(c, r5 * cRow, c5);
    }

    /// <summary>
    /// C[r, 0 … lanes · width) (+)= A · B for up to 6 rows, B packed in panels of two lanes (the last may have one) of
    /// <paramref name="panelRows"/> rows each, starting with row <paramref name="first"/> of them.
    /// </summary>
    public static void Across<V>(
        void* a, nint rowStride, nint stepStride, int rows, int count, void* panels, int panelRows, int first, int lanes, void* c, nint cRow)
        where V : struct, ICpuLane<V>
    {
        nint wide = 2 * V.Width;
        int lane = 0;
        for (; lane + 2 <= lanes; lane += 2)
        {
            void* b = Element.At<V>(panels, (nint)lane * V.Width * panelRows + first * wide);
            Two<V>(a, rowStride, stepStride, rows, count, b, wide, Element.At<V>(c, lane * V.Width), cRow, true);
        }

        if (lane < lanes)
        {
            void* b = Element.At<V>(panels, (nint)lane * V.Width * panelRows + (nint)first * V.Width);
            One<V>(a, rowStride, stepStride, rows, count, b, V.Width, Element.At<V>(c, lane * V.Width), cRow, true);
        }
    }
}
