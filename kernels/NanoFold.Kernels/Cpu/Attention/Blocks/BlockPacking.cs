using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// Copies rows into the panels that <see cref="Tiles"/> reads: two lanes wide (the last may be one), contiguous, so that neither
/// the tensor's strides nor odd head dimensions reach the inner loops.
/// </summary>
internal static unsafe class BlockPacking
{
    /// <summary>
    /// B[k, n] = scale · row k, element n, in panels of <paramref name="panelRows"/> rows over n; n padded with zeros to whole lanes.
    /// Row <paramref name="first"/> of the panels is the first one written.
    /// </summary>
    public static void Rows<V>(void* source, nint sourceRow, int rows, int depth, void* panels, int panelRows, int first, double scale)
        where V : struct, ICpuLane<V>
    {
        V factor = V.Constant(scale);
        int lanes = (depth + V.Width - 1) / V.Width;
        for (int lane = 0; lane < lanes; lane += 2)
        {
            int wide = Math.Min(2, lanes - lane) * V.Width;
            void* target = Element.At<V>(panels, (nint)lane * V.Width * panelRows + (nint)first * wide);
            void* from = Element.At<V>(source, lane * V.Width);
            int rest = depth - lane * V.Width;
            if (rest >= 2 * V.Width)
            {
                for (nint r = 0; r < rows; r++)
                {
                    void* row = Element.At<V>(from, r * sourceRow);
                    V.Store(target, 2 * V.Width * r, V.Load(row, 0) * factor);
                    V.Store(target, 2 * V.Width * r + V.Width, V.Load(row, V.Width) * factor);
                }
            }
            else
            {
                Narrow(from, sourceRow, rows, rest, target, wide, factor);
            }
        }
    }

    /// <summary>
    /// B[k, n] = scale · row n, element k, in panels over n. Row n is token n / group, head n % group. Columns after the last row,
    /// up to whole lanes, repeat it.
    /// </summary>
    public static void Transposed<V>(
        void* source, nint timeStride, nint headStride, int group, int rows, int depth, void* panels, double scale)
        where V : struct, ICpuLane<V>
    {
        int padded = LaneSize.Of<V>().Padded(rows);
        int wide = 2 * V.Width;
        for (int n = 0; n < padded;)
        {
            int panel = n / wide * wide;
            int width = Math.Min(wide, padded - panel);
            void* target = Element.At<V>(panels, (nint)panel * depth + (n - panel));
            if (typeof(V) == typeof(Lane16) && Avx512F.IsSupported && group == 1 && n + 16 <= rows)
            {
                SixteenColumns.Transpose((float*)source + (n * timeStride), timeStride, depth, (float*)target, width, (float)scale);
                n += 16;
            }
            else if (V.Type == DType.Float32 && V.Width >= 8 && Avx.IsSupported)
            {
                float* from = (float*)source;
                Eight(
                    from + RowOffset(Math.Min(n, rows - 1), group, timeStride, headStride), from + RowOffset(Math.Min(n + 1, rows - 1), group, timeStride, headStride),
                    from + RowOffset(Math.Min(n + 2, rows - 1), group, timeStride, headStride), from + RowOffset(Math.Min(n + 3, rows - 1), group, timeStride, headStride),
                    from + RowOffset(Math.Min(n + 4, rows - 1), group, timeStride, headStride), from + RowOffset(Math.Min(n + 5, rows - 1), group, timeStride, headStride),
                    from + RowOffset(Math.Min(n + 6, rows - 1), group, timeStride, headStride), from + RowOffset(Math.Min(n + 7, rows - 1), group, timeStride, headStride),
                    depth, (float*)target, width, (float)scale);
                n += 8;
            }
            else
            {
                void* row = Element.At<V>(source, RowOffset(Math.Min(n, rows - 1), group, timeStride, headStride));
                for (nint k = 0; k < depth; k++)
                {
                    Element.Set<V>(target, k * width, Element.Get<V>(row, k) * scale);
                }

                n++;
            }
        }
    }

    /// <summary>As <see cref="Transposed{V}"/>, of rows that lie anywhere.</summary>
    public static void Gathered<V>(void** sources, int rows, int depth, void* panels, double scale)
        where V : struct, ICpuLane<V>
    {
        int padded = LaneSize.Of<V>().Padded(rows), last = rows - 1;
        int wide = 2 * V.Width;
        for (int n = 0; n < padded;)
        {
            int panel = n / wide * wide;
            int width = Math.Min(wide, padded - panel);
            void* target = Element.At<V>(panels, (nint)panel * depth + (n - panel));
            if (V.Type == DType.Float32 && V.Width >= 8 && Avx.IsSupported)
            {
                float** from = (float**)sources;
                Eight(
                    from[Math.Min(n, last)], from[Math.Min(n + 1, last)], from[Math.Min(n + 2, last)], from[Math.Min(n + 3, last)],
                    from[Math.Min(n + 4, last)], from[Math.Min(n + 5, last)], from[Math.Min(n + 6, last)], from[Math.Min(n + 7, last)],
                    depth, (float*)target, width, (float)scale);
                n += 8;
            }
            else
            {
                void* row = sources[Math.Min(n, last)];
                for (nint k = 0; k < depth; k++)
                {
                    Element.Set<V>(target, k * width, Element.Get<V>(row, k) * scale);
                }

                n++;
            }
        }
    }

    /// <summary>A last panel that is not two full lanes wide.</summary>
    private static void Narrow<V>(void* source, nint sourceRow, int rows, int depth, void* target, int wide, V factor)
        where V : struct, ICpuLane<V>
    {
        for (nint r = 0; r < rows; r++)
        {
            for (int i = 0; i < wide; i += V.Width)
            {
                void* from = Element.At<V>(source, r * sourceRow);
                V value = depth - i >= V.Width ? V.Load(from, i) : V.LoadPart(from, i, Math.Max(0, depth - i));
                V.Store(target, r * wide + i, value * factor);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static nint RowOffset(int row, int group, nint timeStride, nint headStride) =>
        group == 1 ? row * timeStride : row / group * timeStride + row % group * headStride;

    /// <summary>Eight columns: 8 × 8 blocks transposed in registers.</summary>
    private static void Eight(
        float* p0, float* p1, float* p2, float* p3, float* p4, float* p5, float* p6, float* p7, int depth, float* target, nint width, float scale)
    {
        Vector256<float> factor = Vector256.Create(scale);
        nint k = 0;
        for (; k + 8 <= depth; k += 8)
        {
            // Halves of rows r and r + 4 side by side, so that the two unpacking steps stay inside 128-bit halves.
            Vector256<float> x0 = Vector256.Create(Vector128.Load(p0 + k), Vector128.Load(p4 + k)) * factor;
            Vector256<float> x1 = Vector256.Create(Vector128.Load(p1 + k), Vector128.Load(p5 + k)) * factor;
            Vector256<float> x2 = Vector256.Create(Vector128.Load(p2 + k), Vector128.Load(p6 + k)) * factor;
            Vector256<float> x3 = Vector256.Create(Vector128.Load(p3 + k), Vector128.Load(p7 + k)) * factor;
            Four(x0, x1, x2, x3, target + k * width, width);
            x0 = Vector256.Create(Vector128.Load(p0 + k + 4), Vector128.Load(p4 + k + 4)) * factor;
            x1 = Vector256.Create(Vector128.Load(p1 + k + 4), Vector128.Load(p5 + k + 4)) * factor;
            x2 = Vector256.Create(Vector128.Load(p2 + k + 4), Vector128.Load(p6 + k + 4)) * factor;
            x3 = Vector256.Create(Vector128.Load(p3 + k + 4), Vector128.Load(p7 + k + 4)) * factor;
            Four(x0, x1, x2, x3, target + (k + 4) * width, width);
        }

        for (; k < depth; k++)
        {
            float* to = target + k * width;
            to[0] = p0[k] * scale;
            to[1] = p1[k] * scale;
            to[2] = p2[k] * scale;
            to[3] = p3[k] * scale;
            to[4] = p4[k] * scale;
            to[5] = p5[k] * scale;
            to[6] = p6[k] * scale;
            to[7] = p7[k] * scale;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(Vector256<float> x0, Vector256<float> x1, Vector256<float> x2, Vector256<float> x3, float* target, nint width)
    {
        Vector256<float> low02 = Avx.UnpackLow(x0, x2), high02 = Avx.UnpackHigh(x0, x2);
        Vector256<float> low13 = Avx.UnpackLow(x1, x3), high13 = Avx.UnpackHigh(x1, x3);
        Avx.UnpackLow(low02, low13).Store(target);
        Avx.UnpackHigh(low02, low13).Store(target + width);
        Avx.UnpackLow(high02, high13).Store(target + 2 * width);
        Avx.UnpackHigh(high02, high13).Store(target + 3 * width);
    }
}
