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
    public const int Rows = 6;

    /// <summary>C = A · B for any number of rows of A, whose k are adjacent, and one panel of B.</summary>
    /// <param name="count">Steps of k.</param>
    /// <param name="width">Columns of the panel: one or two lanes.</param>
    public static void Down<V>(void* a, nint aRow, int rows, int count, void* panel, int width, void* c, nint cRow)
        where V : struct, ICpuLane<V>
    {
        nint size = Element.Size<V>();
        var run = new TileRun
        {
            A = (byte*)a,
            ARow = aRow * size,
            AStep = size,
            ANext = Rows * aRow * size,
            B = (byte*)panel,
            BStep = width * size,
            C = (byte*)c,
            CRow = cRow * size,
            CNext = Rows * cRow * size,
            Rows = Rows,
            Count = count,
            Tiles = rows / Rows,
        };
        Run<V>(run, width);
        int rest = rows % Rows;
        if (rest > 0)
        {
            run.A += run.Tiles * run.ANext;
            run.C += run.Tiles * run.CNext;
            run.Rows = rest;
            run.Tiles = 1;
            Run<V>(run, width);
        }
    }

    /// <summary>
    /// C[r, 0 … lanes · width) += A · B for up to 6 rows, B packed in panels of two lanes (the last may have one) of
    /// <paramref name="panelRows"/> rows each, starting with row <paramref name="first"/> of them. Element (r, k) of A lies at
    /// r · aRow + k · aStep, so A may be a transpose.
    /// </summary>
    public static void Across<V>(void* a, nint aRow, nint aStep, int rows, int count, void* panels, int panelRows, int first, int lanes, void* c, nint cRow)
        where V : struct, ICpuLane<V>
    {
        nint size = Element.Size<V>(), lane = V.Width * size;
        var run = new TileRun
        {
            A = (byte*)a,
            ARow = aRow * size,
            AStep = aStep * size,
            B = (byte*)panels + first * 2 * lane,
            BStep = 2 * lane,
            BNext = panelRows * 2 * lane,
            C = (byte*)c,
            CRow = cRow * size,
            CNext = 2 * lane,
            Rows = rows,
            Count = count,
            Tiles = lanes / 2,
            Accumulate = true,
        };
        Run<V>(run, 2 * V.Width);
        if (lanes % 2 > 0)
        {
            run.B = (byte*)panels + (lanes - 1) * lane * panelRows + first * lane;
            run.BStep = lane;
            run.C += run.Tiles * run.CNext;
            run.Tiles = 1;
            Run<V>(run, V.Width);
        }
    }

    /// <summary>Tiles of one or two lanes; they work on plain vectors: wrapped in a lane they cost the compiler a register copy per multiply-add.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<V>(in TileRun run, int width)
        where V : struct, ICpuLane<V>
    {
        if (typeof(V) == typeof(Lane16))
        {
            Run<Ops512, Vector512<float>>(run, width);
        }
        else if (typeof(V) == typeof(Lane8))
        {
            Run<Ops256, Vector256<float>>(run, width);
        }
        else if (typeof(V) == typeof(Lane4))
        {
            Run<Ops128, Vector128<float>>(run, width);
        }
        else if (typeof(V) == typeof(Lane1))
        {
            Run<OpsScalar<float>, float>(run, width);
        }
        else
        {
            Run<OpsScalar<double>, double>(run, width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Run<O, V>(in TileRun run, int width)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        if (width * O.ElementBytes > O.Bytes)
        {
            run.Two<O, V>();
        }
        else
        {
            run.One<O, V>();
        }
    }
}
