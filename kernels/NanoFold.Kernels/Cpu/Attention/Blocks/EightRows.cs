using System.Runtime.CompilerServices;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// A <see cref="TileRun"/> with tiles of 8 rows: 16 sums of two vectors for the 32 registers of AVX-512, and, in one vector, just enough independent sums for two FMA units.
/// Every element is summed in the order of the tiles of 6 rows, so that both give the same bits. All 8 rows are there: what is left over is for the tiles of 6.
/// </summary>
internal static unsafe class EightRows
{
    public const int Rows = 8;

    /// <summary>Tiles of two vectors.</summary>
    public static void Two<O, V, TEnd>(in TileRun run, in TEnd end)
        where O : struct, IVectorOps<V>
        where V : struct
        where TEnd : struct, ITileEnd<V>
    {
        V k0 = TEnd.HasColumns ? O.Load(run.Columns) : O.Zero, k1 = TEnd.HasColumns ? O.Load(run.Columns + O.Bytes) : O.Zero;
        nint row = run.ARow, step = run.AStep, bStep = run.BStep, cRow = run.CRow, fromRow = run.FromRow;
        byte* a = run.A, b = run.B, c = run.C, from = run.From;
        for (int tile = 0; tile < run.Tiles; tile++)
        {
            byte* d = c + 3 * cRow, e = c + 6 * cRow;
            V s00 = O.Zero, s01 = O.Zero, s10 = O.Zero, s11 = O.Zero, s20 = O.Zero, s21 = O.Zero, s30 = O.Zero, s31 = O.Zero;
            V s40 = O.Zero, s41 = O.Zero, s50 = O.Zero, s51 = O.Zero, s60 = O.Zero, s61 = O.Zero, s70 = O.Zero, s71 = O.Zero;
            if (from is not null)
            {
                byte* f = from + 3 * fromRow, g = from + 6 * fromRow;
                Load<O, V>(from, ref s00, ref s01);
                Load<O, V>(from + fromRow, ref s10, ref s11);
                Load<O, V>(from + 2 * fromRow, ref s20, ref s21);
                Load<O, V>(f, ref s30, ref s31);
                Load<O, V>(f + fromRow, ref s40, ref s41);
                Load<O, V>(f + 2 * fromRow, ref s50, ref s51);
                Load<O, V>(g, ref s60, ref s61);
                Load<O, V>(g + fromRow, ref s70, ref s71);
                from += run.CNext;
            }

            byte* x = a, low = a + 3 * row, last = a + 6 * row, z = b;
            for (int left = run.Count; left > 0; left--)
            {
                V b0 = O.Load(z), b1 = O.Load(z + O.Bytes);
                Add<O, V>(x, b0, b1, ref s00, ref s01);
                Add<O, V>(x + row, b0, b1, ref s10, ref s11);
                Add<O, V>(x + 2 * row, b0, b1, ref s20, ref s21);
                Add<O, V>(low, b0, b1, ref s30, ref s31);
                Add<O, V>(low + row, b0, b1, ref s40, ref s41);
                Add<O, V>(low + 2 * row, b0, b1, ref s50, ref s51);
                Add<O, V>(last, b0, b1, ref s60, ref s61);
                Add<O, V>(last + row, b0, b1, ref s70, ref s71);
                x += step;
                low += step;
                last += step;
                z += bStep;
            }

            Store<O, V, TEnd>(c, s00, s01, k0, k1, 0, end);
            Store<O, V, TEnd>(c + cRow, s10, s11, k0, k1, 1, end);
            Store<O, V, TEnd>(c + 2 * cRow, s20, s21, k0, k1, 2, end);
            Store<O, V, TEnd>(d, s30, s31, k0, k1, 3, end);
            Store<O, V, TEnd>(d + cRow, s40, s41, k0, k1, 4, end);
            Store<O, V, TEnd>(d + 2 * cRow, s50, s51, k0, k1, 5, end);
            Store<O, V, TEnd>(e, s60, s61, k0, k1, 6, end);
            Store<O, V, TEnd>(e + cRow, s70, s71, k0, k1, 7, end);
            a += run.ANext;
            b += run.BNext;
            c += run.CNext;
        }
    }

    /// <summary>Tiles of one vector.</summary>
    public static void One<O, V, TEnd>(in TileRun run, in TEnd end)
        where O : struct, IVectorOps<V>
        where V : struct
        where TEnd : struct, ITileEnd<V>
    {
        V k0 = TEnd.HasColumns ? O.Load(run.Columns) : O.Zero;
        nint row = run.ARow, step = run.AStep, bStep = run.BStep, cRow = run.CRow, fromRow = run.FromRow;
        byte* a = run.A, b = run.B, c = run.C, from = run.From;
        for (int tile = 0; tile < run.Tiles; tile++)
        {
            byte* d = c + 3 * cRow, e = c + 6 * cRow;
            V s0 = O.Zero, s1 = O.Zero, s2 = O.Zero, s3 = O.Zero, s4 = O.Zero, s5 = O.Zero, s6 = O.Zero, s7 = O.Zero;
            if (from is not null)
            {
                byte* f = from + 3 * fromRow, g = from + 6 * fromRow;
                s0 = O.Load(from);
                s1 = O.Load(from + fromRow);
                s2 = O.Load(from + 2 * fromRow);
                s3 = O.Load(f);
                s4 = O.Load(f + fromRow);
                s5 = O.Load(f + 2 * fromRow);
                s6 = O.Load(g);
                s7 = O.Load(g + fromRow);
                from += run.CNext;
            }

            byte* x = a, low = a + 3 * row, last = a + 6 * row, z = b;
            for (int left = run.Count; left > 0; left--)
            {
                V b0 = O.Load(z);
                s0 = O.MultiplyAdd(O.Splat(x), b0, s0);
                s1 = O.MultiplyAdd(O.Splat(x + row), b0, s1);
                s2 = O.MultiplyAdd(O.Splat(x + 2 * row), b0, s2);
                s3 = O.MultiplyAdd(O.Splat(low), b0, s3);
                s4 = O.MultiplyAdd(O.Splat(low + row), b0, s4);
                s5 = O.MultiplyAdd(O.Splat(low + 2 * row), b0, s5);
                s6 = O.MultiplyAdd(O.Splat(last), b0, s6);
                s7 = O.MultiplyAdd(O.Splat(last + row), b0, s7);
                x += step;
                low += step;
                last += step;
                z += bStep;
            }

            O.Store(c, end.Of(s0, c, k0, 0));
            O.Store(c + cRow, end.Of(s1, c + cRow, k0, 1));
            O.Store(c + 2 * cRow, end.Of(s2, c + 2 * cRow, k0, 2));
            O.Store(d, end.Of(s3, d, k0, 3));
            O.Store(d + cRow, end.Of(s4, d + cRow, k0, 4));
            O.Store(d + 2 * cRow, end.Of(s5, d + 2 * cRow, k0, 5));
            O.Store(e, end.Of(s6, e, k0, 6));
            O.Store(e + cRow, end.Of(s7, e + cRow, k0, 7));
            a += run.ANext;
            b += run.BNext;
            c += run.CNext;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<O, V>(byte* a, V b0, V b1, ref V s0, ref V s1)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        V x = O.Splat(a);
        s0 = O.MultiplyAdd(x, b0, s0);
        s1 = O.MultiplyAdd(x, b1, s1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<O, V>(byte* c, ref V s0, ref V s1)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        s0 = O.Load(c);
        s1 = O.Load(c + O.Bytes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<O, V, TEnd>(byte* c, V s0, V s1, V k0, V k1, nint row, in TEnd end)
        where O : struct, IVectorOps<V>
        where V : struct
        where TEnd : struct, ITileEnd<V>
    {
        O.Store(c, end.Of(s0, c, k0, row));
        O.Store(c + O.Bytes, end.Of(s1, c + O.Bytes, k1, row));
    }
}
