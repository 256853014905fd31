using NanoFold.Kernels.Cpu.MatMul.Tiles;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>
/// Tiles of a product, one after the other: C[r, n] (+)= Σ_k A[r, k] · B[k, n] for up to 6 rows and one or two vectors of columns.
/// A is read where it lies, along its rows or down its columns. All distances in bytes.
/// </summary>
internal unsafe struct TileRun
{
    /// <summary>Distances between rows, steps of k, and the tiles of the run.</summary>
    public byte* A;
    public nint ARow, AStep, ANext;

    public byte* B;
    public nint BStep, BNext;

    public byte* C;
    public nint CRow, CNext;

    /// <summary>Valid rows of a tile, 1 to 6. The last one takes the place of missing ones: it is computed again and stored with equal bits.</summary>
    public int Rows;

    /// <summary>What the end takes the first row for.</summary>
    public int FirstRow;

    /// <summary>Steps of k.</summary>
    public int Count;

    public int Tiles;

    /// <summary>What sums begin with, in tiles as far apart as those of C, which it may be; null for 0.</summary>
    public byte* From;
    public nint FromRow;

    /// <summary>A vector of each column that the end of a tile is given; where there is no end, of no account.</summary>
    public byte* Columns;

    /// <summary>Tiles of two vectors: 12 sums, two vectors of B and one broadcast are 15 of the 16 registers of AVX2.</summary>
    public readonly void Two<O, V, TEnd>(in TEnd end)
        where O : struct, IVectorOps<V>
        where V : struct
        where TEnd : struct, ITileEnd<V>
    {
        V k0 = TEnd.HasColumns ? O.Load(Columns) : O.Zero, k1 = TEnd.HasColumns ? O.Load(Columns + O.Bytes) : O.Zero;
        int last = Rows - 1;
        nint r1 = Math.Min(1, last), r2 = Math.Min(2, last), r3 = Math.Min(3, last), r4 = Math.Min(4, last), r5 = last;
        byte* a = A, b = B, c = C, from = From;
        for (int tile = 0; tile < Tiles; tile++)
        {
            byte* a1 = a + r1 * ARow, a2 = a + r2 * ARow, a3 = a + r3 * ARow, a4 = a + r4 * ARow, a5 = a + r5 * ARow;
            byte* c1 = c + r1 * CRow, c2 = c + r2 * CRow, c3 = c + r3 * CRow, c4 = c + r4 * CRow, c5 = c + r5 * CRow;
            V s00 = O.Zero, s01 = O.Zero, s10 = O.Zero, s11 = O.Zero, s20 = O.Zero, s21 = O.Zero;
            V s30 = O.Zero, s31 = O.Zero, s40 = O.Zero, s41 = O.Zero, s50 = O.Zero, s51 = O.Zero;
            if (from is not null)
            {
                byte* f1 = from + r1 * FromRow, f2 = from + r2 * FromRow, f3 = from + r3 * FromRow, f4 = from + r4 * FromRow, f5 = from + r5 * FromRow;
                s00 = O.Load(from);
                s01 = O.Load(from + O.Bytes);
                s10 = O.Load(f1);
                s11 = O.Load(f1 + O.Bytes);
                s20 = O.Load(f2);
                s21 = O.Load(f2 + O.Bytes);
                s30 = O.Load(f3);
                s31 = O.Load(f3 + O.Bytes);
                s40 = O.Load(f4);
                s41 = O.Load(f4 + O.Bytes);
                s50 = O.Load(f5);
                s51 = O.Load(f5 + O.Bytes);
                from += CNext;
            }

            nint step = AStep, bStep = BStep, i = 0;
            byte* z = b;
            int left = Count;
            for (; left >= 4; left -= 4)
            {
                Step<O, V>(a + i, a1 + i, a2 + i, a3 + i, a4 + i, a5 + i, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                i += step;
                z += bStep;
                Step<O, V>(a + i, a1 + i, a2 + i, a3 + i, a4 + i, a5 + i, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                i += step;
                z += bStep;
                Step<O, V>(a + i, a1 + i, a2 + i, a3 + i, a4 + i, a5 + i, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                i += step;
                z += bStep;
                Step<O, V>(a + i, a1 + i, a2 + i, a3 + i, a4 + i, a5 + i, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                i += step;
                z += bStep;
            }

            for (; left > 0; left--)
            {
                Step<O, V>(a + i, a1 + i, a2 + i, a3 + i, a4 + i, a5 + i, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                i += step;
                z += bStep;
            }

            O.Store(c, end.Of(s00, c, k0, FirstRow));
            O.Store(c + O.Bytes, end.Of(s01, c + O.Bytes, k1, FirstRow));
            O.Store(c1, end.Of(s10, c1, k0, FirstRow + r1));
            O.Store(c1 + O.Bytes, end.Of(s11, c1 + O.Bytes, k1, FirstRow + r1));
            O.Store(c2, end.Of(s20, c2, k0, FirstRow + r2));
            O.Store(c2 + O.Bytes, end.Of(s21, c2 + O.Bytes, k1, FirstRow + r2));
            O.Store(c3, end.Of(s30, c3, k0, FirstRow + r3));
            O.Store(c3 + O.Bytes, end.Of(s31, c3 + O.Bytes, k1, FirstRow + r3));
            O.Store(c4, end.Of(s40, c4, k0, FirstRow + r4));
            O.Store(c4 + O.Bytes, end.Of(s41, c4 + O.Bytes, k1, FirstRow + r4));
            O.Store(c5, end.Of(s50, c5, k0, FirstRow + r5));
            O.Store(c5 + O.Bytes, end.Of(s51, c5 + O.Bytes, k1, FirstRow + r5));
            a += ANext;
            b += BNext;
            c += CNext;
        }
    }

    /// <summary>Tiles of one vector.</summary>
    public readonly void One<O, V, TEnd>(in TEnd end)
        where O : struct, IVectorOps<V>
        where V : struct
        where TEnd : struct, ITileEnd<V>
    {
        V k0 = TEnd.HasColumns ? O.Load(Columns) : O.Zero;
        int last = Rows - 1;
        nint r1 = Math.Min(1, last), r2 = Math.Min(2, last), r3 = Math.Min(3, last), r4 = Math.Min(4, last), r5 = last;
        byte* a = A, b = B, c = C, from = From;
        for (int tile = 0; tile < Tiles; tile++)
        {
            byte* a1 = a + r1 * ARow, a2 = a + r2 * ARow, a3 = a + r3 * ARow, a4 = a + r4 * ARow, a5 = a + r5 * ARow;
            byte* c1 = c + r1 * CRow, c2 = c + r2 * CRow, c3 = c + r3 * CRow, c4 = c + r4 * CRow, c5 = c + r5 * CRow;
            V s0 = O.Zero, s1 = O.Zero, s2 = O.Zero, s3 = O.Zero, s4 = O.Zero, s5 = O.Zero;
            if (from is not null)
            {
                s0 = O.Load(from);
                s1 = O.Load(from + r1 * FromRow);
                s2 = O.Load(from + r2 * FromRow);
                s3 = O.Load(from + r3 * FromRow);
                s4 = O.Load(from + r4 * FromRow);
                s5 = O.Load(from + r5 * FromRow);
                from += CNext;
            }

            nint i = 0;
            byte* z = b;
            for (int left = Count; left > 0; left--)
            {
                V b0 = O.Load(z);
                z += BStep;
                s0 = O.MultiplyAdd(O.Splat(a + i), b0, s0);
                s1 = O.MultiplyAdd(O.Splat(a1 + i), b0, s1);
                s2 = O.MultiplyAdd(O.Splat(a2 + i), b0, s2);
                s3 = O.MultiplyAdd(O.Splat(a3 + i), b0, s3);
                s4 = O.MultiplyAdd(O.Splat(a4 + i), b0, s4);
                s5 = O.MultiplyAdd(O.Splat(a5 + i), b0, s5);
                i += AStep;
            }

            O.Store(c, end.Of(s0, c, k0, FirstRow));
            O.Store(c1, end.Of(s1, c1, k0, FirstRow + r1));
            O.Store(c2, end.Of(s2, c2, k0, FirstRow + r2));
            O.Store(c3, end.Of(s3, c3, k0, FirstRow + r3));
            O.Store(c4, end.Of(s4, c4, k0, FirstRow + r4));
            O.Store(c5, end.Of(s5, c5, k0, FirstRow + r5));
            a += ANext;
            b += BNext;
            c += CNext;
        }
    }

    /// <summary>One k: adds the product of a column of A and a row of B.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<O, V>(
        byte* a0, byte* a1, byte* a2, byte* a3, byte* a4, byte* a5, byte* b,
        ref V s00, ref V s01, ref V s10, ref V s11, ref V s20, ref V s21, ref V s30, ref V s31, ref V s40, ref V s41, ref V s50, ref V s51)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        V b0 = O.Load(b), b1 = O.Load(b + O.Bytes);
        V x = O.Splat(a0);
        s00 = O.MultiplyAdd(x, b0, s00);
        s01 = O.MultiplyAdd(x, b1, s01);
        x = O.Splat(a1);
        s10 = O.MultiplyAdd(x, b0, s10);
        s11 = O.MultiplyAdd(x, b1, s11);
        x = O.Splat(a2);
        s20 = O.MultiplyAdd(x, b0, s20);
        s21 = O.MultiplyAdd(x, b1, s21);
        x = O.Splat(a3);
        s30 = O.MultiplyAdd(x, b0, s30);
        s31 = O.MultiplyAdd(x, b1, s31);
        x = O.Splat(a4);
        s40 = O.MultiplyAdd(x, b0, s40);
        s41 = O.MultiplyAdd(x, b1, s41);
        x = O.Splat(a5);
        s50 = O.MultiplyAdd(x, b0, s50);
        s51 = O.MultiplyAdd(x, b1, s51);
    }
}
