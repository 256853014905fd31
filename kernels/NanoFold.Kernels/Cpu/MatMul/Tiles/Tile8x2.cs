using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>8 rows by 2 vectors: 16 sums, for the 32 registers and four FMA units of 64-bit Arm.</summary>
internal readonly unsafe struct Tile8x2 : ITile
{
    public static void Run<O, V, P>(int panels, nint depth, byte* a, nint aRow, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        where P : struct, IPanel
    {
        nint row = P.IsPacked ? O.ElementBytes : aRow;
        nint step = P.IsPacked ? 8 * O.ElementBytes : O.ElementBytes;
        nint panel = P.IsPacked ? depth * 8 * O.ElementBytes : 8 * aRow;
        V scale = O.Constant(alpha);
        for (; panels > 0; panels--)
        {
            byte* x = a;
            // Rows 3 and on are reached from a second pointer, so that every load is base + 0, 1 or 2 strides.
            byte* low = a + 3 * row;
            byte* last = a + 6 * row;
            byte* z = b;
            V s00 = O.Zero, s01 = O.Zero;
            V s10 = O.Zero, s11 = O.Zero;
            V s20 = O.Zero, s21 = O.Zero;
            V s30 = O.Zero, s31 = O.Zero;
            V s40 = O.Zero, s41 = O.Zero;
            V s50 = O.Zero, s51 = O.Zero;
            V s60 = O.Zero, s61 = O.Zero;
            V s70 = O.Zero, s71 = O.Zero;
            Prefetch.Rows(y, yRow, 8, 2 * O.Bytes);
            nint left = depth;
            for (; left >= 4; left -= 4)
            {
                Step<O, V>(x, low, last, row, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51, ref s60, ref s61, ref s70, ref s71);
                Step<O, V>(x + step, low + step, last + step, row, z + bStep, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51, ref s60, ref s61, ref s70, ref s71);
                Step<O, V>(x + 2 * step, low + 2 * step, last + 2 * step, row, z + 2 * bStep, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51, ref s60, ref s61, ref s70, ref s71);
                Step<O, V>(x + 3 * step, low + 3 * step, last + 3 * step, row, z + 3 * bStep, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51, ref s60, ref s61, ref s70, ref s71);
                x += 4 * step;
                low += 4 * step;
                last += 4 * step;
                z += 4 * bStep;
            }

            for (; left > 0; left--)
            {
                Step<O, V>(x, low, last, row, z, ref s00, ref s01, ref s10, ref s11, ref s20, ref s21, ref s30, ref s31, ref s40, ref s41, ref s50, ref s51, ref s60, ref s61, ref s70, ref s71);
                x += step;
                low += step;
                last += step;
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
            Write<O, V>(y, s60, scale, accumulate);
            Write<O, V>(y + O.Bytes, s61, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s70, scale, accumulate);
            Write<O, V>(y + O.Bytes, s71, scale, accumulate);
            y += yRow;
            a += panel;
        }
    }

    /// <summary>One k: adds the product of a column of a and a row of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<O, V>(
        byte* x, byte* low, byte* last, nint row, byte* b,
        ref V s00, ref V s01, ref V s10, ref V s11,
        ref V s20, ref V s21, ref V s30, ref V s31,
        ref V s40, ref V s41, ref V s50, ref V s51,
        ref V s60, ref V s61, ref V s70, ref V s71)
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
        value = O.Splat(last);
        s60 = O.MultiplyAdd(value, b0, s60);
        s61 = O.MultiplyAdd(value, b1, s61);
        value = O.Splat(last + row);
        s70 = O.MultiplyAdd(value, b0, s70);
        s71 = O.MultiplyAdd(value, b1, s71);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<O, V>(byte* y, V sum, V scale, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        => O.Store(y, accumulate ? O.MultiplyAdd(sum, scale, O.Load(y)) : O.Multiply(sum, scale));
}
