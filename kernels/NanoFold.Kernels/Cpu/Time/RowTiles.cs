using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>
/// Products of a few rows with a packed panel of <see cref="Units"/> columns: up to six rows share each element of the panel, and each sum runs over the depth
/// in ascending order, whatever rows there are beside it.
/// </summary>
internal static unsafe class RowTiles
{
    /// <summary>Columns of a panel: two lanes of the widest kind.</summary>
    public const int Units = 32;

    /// <summary>Rows that are multiplied at once at most.</summary>
    public const int MostRows = 6;

    /// <summary>sums[row][unit] += Σ_k rows[row][k] · panel[k][unit].</summary>
    /// <param name="rows">Addresses of the rows, room for <see cref="MostRows"/>.</param>
    /// <param name="count">Rows; the room after them is used.</param>
    /// <param name="panel">[depth, Units].</param>
    /// <param name="depth">Elements of a row.</param>
    /// <param name="sums">The first sum of the first row.</param>
    /// <param name="stride">Elements between rows of sums, of which there is room for <see cref="MostRows"/>.</param>
    public static void Multiply<V>(byte** rows, int count, byte* panel, int depth, byte* sums, nint stride)
        where V : struct, ICpuLane<V>
    {
        for (int i = count; i < MostRows; i++)
        {
            rows[i] = rows[count - 1];
        }

        for (nint unit = 0; unit < Units; unit += 2 * V.Width)
        {
            switch (count)
            {
                case 1:
                    One<V>(rows, panel, depth, sums, unit);
                    break;
                case 2:
                    Two<V>(rows, panel, depth, sums, unit, stride);
                    break;
                case 3 or 4:
                    Four<V>(rows, panel, depth, sums, unit, stride);
                    break;
                default:
                    Six<V>(rows, panel, depth, sums, unit, stride);
                    break;
            }
        }
    }

    private static void One<V>(byte** rows, byte* panel, int depth, byte* sums, nint unit)
        where V : struct, ICpuLane<V>
    {
        byte* a = rows[0];
        V a0 = V.Load(sums, unit), a1 = V.Load(sums, unit + V.Width);
        nint at = unit;
        for (nint k = 0; k < depth; k++, at += Units)
        {
            V x = V.Splat(a, k);
            a0 = V.MultiplyAdd(x, V.Load(panel, at), a0);
            a1 = V.MultiplyAdd(x, V.Load(panel, at + V.Width), a1);
        }

        Put(sums, unit, a0, a1);
    }

    private static void Two<V>(byte** rows, byte* panel, int depth, byte* sums, nint unit, nint stride)
        where V : struct, ICpuLane<V>
    {
        byte* a = rows[0], b = rows[1];
        V a0 = V.Load(sums, unit), a1 = V.Load(sums, unit + V.Width), b0 = V.Load(sums, unit + stride), b1 = V.Load(sums, unit + stride + V.Width);
        nint at = unit;
        for (nint k = 0; k < depth; k++, at += Units)
        {
            V p = V.Load(panel, at), q = V.Load(panel, at + V.Width), x = V.Splat(a, k);
            a0 = V.MultiplyAdd(x, p, a0);
            a1 = V.MultiplyAdd(x, q, a1);
            x = V.Splat(b, k);
            b0 = V.MultiplyAdd(x, p, b0);
            b1 = V.MultiplyAdd(x, q, b1);
        }

        Put(sums, unit, a0, a1);
        Put(sums, unit + stride, b0, b1);
    }

    private static void Four<V>(byte** rows, byte* panel, int depth, byte* sums, nint unit, nint stride)
        where V : struct, ICpuLane<V>
    {
        byte* a = rows[0], b = rows[1], c = rows[2], d = rows[3];
        nint second = unit + stride, third = second + stride, fourth = third + stride;
        V a0 = V.Load(sums, unit), a1 = V.Load(sums, unit + V.Width), b0 = V.Load(sums, second), b1 = V.Load(sums, second + V.Width);
        V c0 = V.Load(sums, third), c1 = V.Load(sums, third + V.Width), d0 = V.Load(sums, fourth), d1 = V.Load(sums, fourth + V.Width);
        nint at = unit;
        for (nint k = 0; k < depth; k++, at += Units)
        {
            V p = V.Load(panel, at), q = V.Load(panel, at + V.Width), x = V.Splat(a, k);
            a0 = V.MultiplyAdd(x, p, a0);
            a1 = V.MultiplyAdd(x, q, a1);
            x = V.Splat(b, k);
            b0 = V.MultiplyAdd(x, p, b0);
            b1 = V.MultiplyAdd(x, q, b1);
            x = V.Splat(c, k);
            c0 = V.MultiplyAdd(x, p, c0);
            c1 = V.MultiplyAdd(x, q, c1);
            x = V.Splat(d, k);
            d0 = V.MultiplyAdd(x, p, d0);
            d1 = V.MultiplyAdd(x, q, d1);
        }

        Put(sums, unit, a0, a1);
        Put(sums, second, b0, b1);
        Put(sums, third, c0, c1);
        Put(sums, fourth, d0, d1);
    }

    /// <remarks>Twelve sums, two lanes of the panel and one of a row: fifteen of the sixteen registers that there are without AVX-512.</remarks>
    private static void Six<V>(byte** rows, byte* panel, int depth, byte* sums, nint unit, nint stride)
        where V : struct, ICpuLane<V>
    {
        byte* a = rows[0], b = rows[1], c = rows[2], d = rows[3], e = rows[4], f = rows[5];
        nint second = unit + stride, third = second + stride, fourth = third + stride, fifth = fourth + stride, sixth = fifth + stride;
        V a0 = V.Load(sums, unit), a1 = V.Load(sums, unit + V.Width), b0 = V.Load(sums, second), b1 = V.Load(sums, second + V.Width);
        V c0 = V.Load(sums, third), c1 = V.Load(sums, third + V.Width), d0 = V.Load(sums, fourth), d1 = V.Load(sums, fourth + V.Width);
        V e0 = V.Load(sums, fifth), e1 = V.Load(sums, fifth + V.Width), f0 = V.Load(sums, sixth), f1 = V.Load(sums, sixth + V.Width);
        nint at = unit;
        for (nint k = 0; k < depth; k++, at += Units)
        {
            V p = V.Load(panel, at), q = V.Load(panel, at + V.Width), x = V.Splat(a, k);
            a0 = V.MultiplyAdd(x, p, a0);
            a1 = V.MultiplyAdd(x, q, a1);
            x = V.Splat(b, k);
            b0 = V.MultiplyAdd(x, p, b0);
            b1 = V.MultiplyAdd(x, q, b1);
            x = V.Splat(c, k);
            c0 = V.MultiplyAdd(x, p, c0);
            c1 = V.MultiplyAdd(x, q, c1);
            x = V.Splat(d, k);
            d0 = V.MultiplyAdd(x, p, d0);
            d1 = V.MultiplyAdd(x, q, d1);
            x = V.Splat(e, k);
            e0 = V.MultiplyAdd(x, p, e0);
            e1 = V.MultiplyAdd(x, q, e1);
            x = V.Splat(f, k);
            f0 = V.MultiplyAdd(x, p, f0);
            f1 = V.MultiplyAdd(x, q, f1);
        }

        Put(sums, unit, a0, a1);
        Put(sums, second, b0, b1);
        Put(sums, third, c0, c1);
        Put(sums, fourth, d0, d1);
        Put(sums, fifth, e0, e1);
        Put(sums, sixth, f0, f1);
    }

    private static void Put<V>(byte* sums, nint at, V first, V second)
        where V : struct, ICpuLane<V>
    {
        V.Store(sums, at, first);
        V.Store(sums, at + V.Width, second);
    }
}
