using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// Register-blocked products of attention, C[r, n] (+)= Σ_k A[r, k] · B[k, n], with B in panels of one or two lanes as
/// <see cref="BlockPacking"/> writes them. Distances in elements.
/// </summary>
internal static unsafe class Tiles
{
    /// <summary>Rows of a tile that every machine has the registers for.</summary>
    public const int Rows = 6;

    /// <summary>Rows of the tallest tile of a lane.</summary>
    public static int Height<V>()
        where V : struct, ICpuLane<V>
        => typeof(V) == typeof(Lane16) ? EightRows.Rows : Rows;

    /// <summary>C = A · B for any number of rows of A, whose k are adjacent, and one panel of B.</summary>
    /// <param name="count">Steps of k.</param>
    /// <param name="width">Columns of the panel: one or two lanes.</param>
    public static void Down<V>(void* a, nint aRow, int rows, int count, void* panel, int width, void* c, nint cRow)
        where V : struct, ICpuLane<V>
        => Down<V, SumEnd>(a, aRow, rows, count, panel, width, width, c, cRow, null, default);

    /// <summary>The same with an end, and of columns that may be part of a panel.</summary>
    /// <param name="count">Steps of k.</param>
    /// <param name="panel">The first of the columns.</param>
    /// <param name="step">Columns of the panel.</param>
    /// <param name="width">Columns wanted: one or two lanes.</param>
    /// <param name="columns">See <see cref="TileRun.Columns"/>.</param>
    public static void Down<V, TEnd>(
        void* a, nint aRow, int rows, int count, void* panel, int step, int width, void* c, nint cRow, void* columns, in TEnd end)
        where V : struct, ICpuLane<V>
        where TEnd : struct, ITileEnd
    {
        nint size = Element.Size<V>();
        int height = Height<V>();
        var run = new TileRun
        {
            A = (byte*)a,
            ARow = aRow * size,
            AStep = size,
            ANext = height * aRow * size,
            B = (byte*)panel,
            BStep = step * size,
            C = (byte*)c,
            CRow = cRow * size,
            CNext = height * cRow * size,
            Rows = height,
            Count = count,
            Tiles = rows / height,
            Columns = (byte*)columns,
        };
        if (run.Tiles > 0)
        {
            Run<V, TEnd>(run, width, end);
        }

        run.A += run.Tiles * run.ANext;
        run.C += run.Tiles * run.CNext;
        run.Tiles = 1;
        for (int rest = rows % height; rest > 0; rest -= Rows)
        {
            run.Rows = Math.Min(rest, Rows);
            Run<V, TEnd>(run, width, end);
            run.A += Rows * run.ARow;
            run.C += Rows * run.CRow;
        }
    }

    /// <summary>
    /// C[r, 0 … lanes · width) += A · B for up to <see cref="Height{V}"/> rows, B packed in panels of two lanes (the last may have one) of
    /// <paramref name="panelRows"/> rows each, starting with row <paramref name="first"/> of them. Element (r, k) of A lies at
    /// r · aRow + k · aStep, so A may be a transpose.
    /// </summary>
    public static void Across<V>(void* a, nint aRow, nint aStep, int rows, int count, void* panels, int panelRows, int first, int lanes, void* c, nint cRow)
        where V : struct, ICpuLane<V>
        => Across<V, SumEnd>(a, aRow, aStep, rows, count, RowPanels.Packed<V>(panels, panelRows, lanes), first, c, cRow, c, cRow, default);

    /// <summary>The same with an end.</summary>
    /// <param name="from">What is added to, in rows of its own; null for 0.</param>
    public static void Across<V, TEnd>(
        void* a, nint aRow, nint aStep, int rows, int count, in RowPanels b, int first, void* c, nint cRow, void* from, nint fromRow, in TEnd end)
        where V : struct, ICpuLane<V>
        where TEnd : struct, ITileEnd
    {
        nint size = Element.Size<V>();
        for (int done = 0, taken; done < rows; done += taken)
        {
            // 7 rows are 6 and 1.
            taken = rows - done >= Height<V>() ? Height<V>() : Math.Min(rows - done, Rows);
            var run = new TileRun
            {
                A = (byte*)a + (done * aRow * size),
                ARow = aRow * size,
                AStep = aStep * size,
                B = (byte*)b.Start + (first * b.Row * size),
                BStep = b.Row * size,
                BNext = b.Next * size,
                C = (byte*)c + (done * cRow * size),
                CRow = cRow * size,
                CNext = 2 * V.Width * size,
                Rows = taken,
                FirstRow = done,
                Count = count,
                Tiles = b.Lanes / 2,
                From = from is null ? null : (byte*)from + (done * fromRow * size),
                FromRow = fromRow * size,
            };
            if (run.Tiles > 0)
            {
                Run<V, TEnd>(run, 2 * V.Width, end);
            }

            if (b.Lanes % 2 > 0)
            {
                run.B = (byte*)b.Start + (((run.Tiles * b.Next) + (first * b.LastRow)) * size);
                run.BStep = b.LastRow * size;
                run.C += run.Tiles * run.CNext;
                run.From += from is null ? 0 : run.Tiles * run.CNext;
                run.Tiles = 1;
                Run<V, TEnd>(run, V.Width, end);
            }
        }
    }

    /// <summary>Tiles of one or two lanes.</summary>
    public static void Run<V>(in TileRun run, int width)
        where V : struct, ICpuLane<V>
        => Run<V, SumEnd>(run, width, default);

    // Tiles work on plain vectors: wrapped in a lane they cost the compiler a register copy per multiply-add.
    private static void Run<V, TEnd>(in TileRun run, int width, in TEnd end)
        where V : struct, ICpuLane<V>
        where TEnd : struct, ITileEnd
    {
        if (typeof(V) == typeof(Lane16))
        {
            Run<Ops512, Vector512<float>, TEnd>(run, width, end);
        }
        else if (typeof(V) == typeof(Lane8))
        {
            Run<Ops256, Vector256<float>, TEnd>(run, width, end);
        }
        else if (typeof(V) == typeof(Lane4))
        {
            Run<Ops128, Vector128<float>, TEnd>(run, width, end);
        }
        else if (typeof(V) == typeof(Lane1))
        {
            Run<OpsScalar<float>, float, TEnd>(run, width, end);
        }
        else
        {
            Run<OpsScalar<double>, double, TEnd>(run, width, end);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Run<O, V, TEnd>(in TileRun run, int width, in TEnd end)
        where O : struct, IVectorOps<V>
        where V : struct
        where TEnd : struct, ITileEnd<V>
    {
        bool isWide = width * O.ElementBytes > O.Bytes;
        if (run.Rows > Rows)
        {
            if (isWide)
            {
                EightRows.Two<O, V, TEnd>(run, end);
            }
            else
            {
                EightRows.One<O, V, TEnd>(run, end);
            }
        }
        else if (isWide)
        {
            run.Two<O, V, TEnd>(end);
        }
        else
        {
            run.One<O, V, TEnd>(end);
        }
    }
}
