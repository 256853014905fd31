using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>4 rows by 1 vector: the corner.</summary>
internal readonly unsafe struct Tile4x1 : ITile
{
    public static void Run<O, V, P>(int panels, nint depth, byte* a, nint aRow, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        where P : struct, IPanel
    {
        nint row = P.IsPacked ? O.ElementBytes : aRow;
        nint step = P.IsPacked ? 4 * O.ElementBytes : O.ElementBytes;
        nint panel = P.IsPacked ? depth * 4 * O.ElementBytes : 4 * aRow;
        V scale = O.Constant(alpha);
        for (; panels > 0; panels--)
        {
            byte* x = a;
            // Rows 3 and on are reached from a second pointer, so that every load is base + 0, 1 or 2 strides.
            byte* low = a + 3 * row;
            byte* z = b;
            V s0 = O.Zero;
            V s1 = O.Zero;
            V s2 = O.Zero;
            V s3 = O.Zero;
            Prefetch.Rows(y, yRow, 4, 1 * O.Bytes);
            nint left = depth;
            for (; left >= 4; left -= 4)
            {
                Step<O, V>(x, low, row, z, ref s0, ref s1, ref s2, ref s3);
                Step<O, V>(x + step, low + step, row, z + bStep, ref s0, ref s1, ref s2, ref s3);
                Step<O, V>(x + 2 * step, low + 2 * step, row, z + 2 * bStep, ref s0, ref s1, ref s2, ref s3);
                Step<O, V>(x + 3 * step, low + 3 * step, row, z + 3 * bStep, ref s0, ref s1, ref s2, ref s3);
                x += 4 * step;
                low += 4 * step;
                z += 4 * bStep;
            }

            for (; left > 0; left--)
            {
                Step<O, V>(x, low, row, z, ref s0, ref s1, ref s2, ref s3);
                x += step;
                low += step;
                z += bStep;
            }

            Write<O, V>(y, s0, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s1, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s2, scale, accumulate);
            y += yRow;
            Write<O, V>(y, s3, scale, accumulate);
            y += yRow;
            a += panel;
        }
    }

    /// <summary>One k: adds the product of a column of a and a row of b.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<O, V>(
        byte* x, byte* low, nint row, byte* b,
        ref V s0, ref V s1, ref V s2, ref V s3)
        where O : struct, IVectorOps<V>
        where V : struct
    {
        V b0 = O.Load(b);
        V value = O.Splat(x);
        s0 = O.MultiplyAdd(value, b0, s0);
        value = O.Splat(x + row);
        s1 = O.MultiplyAdd(value, b0, s1);
        value = O.Splat(x + 2 * row);
        s2 = O.MultiplyAdd(value, b0, s2);
        value = O.Splat(low);
        s3 = O.MultiplyAdd(value, b0, s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<O, V>(byte* y, V sum, V scale, bool accumulate)
        where O : struct, IVectorOps<V>
        where V : struct
        => O.Store(y, accumulate ? O.MultiplyAdd(sum, scale, O.Load(y)) : O.Multiply(sum, scale));
}
