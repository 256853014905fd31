using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>6 rows by 2 vectors: 12 sums, 2 vectors of b and one of a fill the 16 registers of AVX2 and SSE; enough independent sums for two FMA units.</summary>
internal readonly unsafe struct Tile6x2 : ITile
{
    public static void Run<O, V, P>(int panels, nint depth, byte* a, nint aRow, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        where P : struct, IPanel
    {
        nint row = P.IsPacked ? O.ElementBytes : aRow;
        nint step = P.IsPacked ? 6 * O.ElementBytes : O.ElementBytes;
        nint panel = P.IsPacked ? depth * 6 * O.ElementBytes : 6 * aRow;
        V scale = O.Constant(alpha);
        for (; panels > 0; panels--)
        {
            byte* x = a;
            // Rows 3 and on are reached from a second pointer, so that every load is base + 0, 1 or 2 strides.
            byte* low = a + 3 * row;
            byte* z = b;
            V s00 = O.Zero, s01 = O.Zero;
            V s10 = O.Zero, s11 = O.Zero;
            V s20 = O.Zero, s21 = O.Zero;
            V s30 = O.Zero, s31 = O.Zero;
            V s40 = O.Zero, s41 = O.Zero;
            V s50 = O.Zero, s51 = O.Zero;
            Prefetch.Rows(y, yRow, 6, 2 * O.Bytes);
            nint left = depth;
            for (; left >= 4; left -= 4)
            {
                Step<O, V>(x, low, row, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                Step<O, V>(x + step, low + step, row, z + bStep, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                Step<O, V>(x + 2 * step, low + 2 * step, row, z + 2 * bStep, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                Step<O, V>(x + 3 * step, low + 3 * step, row, z + 3 * bStep, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                x += 4 * step;
                low += 4 * step;
                z += 4 * bStep;
            }

            for (; left > 0; left--)
            {
                Step<O, V>(x, low, row, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51);
                x += step;
                low += step;
                z += bStep;
            }

            Write<O, V>(y, s00, scale, accumulate);
            Write<O, V>(y + O.Bytes, s01, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s10, scale, accumulate);
            Write<O, V>(y + O.Bytes, s11, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s20, scale, accumulate);
            Write<O, V>(y + O.Bytes, s21, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s30, scale, accumulate);
            Write<O, V>(y + O.Bytes, s31, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s40, scale, accumulate);
            Write<O, V>(y + O.Bytes, s41, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s50, scale, accumulate);
            Write<O, V>(y + O.Bytes, s51, scale, accumulate);
            y += yRow;
            a += panel;
        }
    }

    /// <summary>One k: adds the product of a column of a and a row of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<O, V>(
        byte* x, byte* low, nint row, byte* b,
        ref V s00, ref V s01, ref V s10, ref V s11,
        ref V s20, ref V s21, ref V s30, ref V s31,
        ref V s40, ref V s41, ref V s50, ref V s51)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        V b0 = O.Load(b);
        V b1 = O.Load(b + O.Bytes);
        V value = O.Splat(x);
        s00 = O.MultiplyAdd(value, b0, s00);
        s01 = O.MultiplyAdd(value, b1, s01);
        value = O.Splat(x + row);
        s10 = O.MultiplyAdd(value, b0, s10);
        s11 = O.MultiplyAdd(value, b1, s11);
        value = O.Splat(x + 2 * row);
        s20 = O.MultiplyAdd(value, b0, s20);
        s21 = O.MultiplyAdd(value, b1, s21);
        value = O.Splat(low);
        s30 = O.MultiplyAdd(value, b0, s30);
        s31 = O.MultiplyAdd(value, b1, s31);
        value = O.Splat(low + row);
        s40 = O.MultiplyAdd(value, b0, s40);
        s41 = O.MultiplyAdd(value, b1, s41);
        value = O.Splat(low + 2 * row);
        s50 = O.MultiplyAdd(value, b0, s50);
        s51 = O.MultiplyAdd(value, b1, s51);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<O, V>(byte* y, V sum, V scale, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        => O.Store(y, accumulate ? O.MultiplyAdd(sum, scale, O.Load(y)) : O.Multiply(sum, scale));
}
