using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>8 rows by 1 vector: the narrow form of <see cref="Tile8x2"/>.</summary>
internal readonly unsafe struct Tile8x1 : ITile
{
    public static int Rows => 8;

    public static int Vectors => 1;

    public static void Run<V>(nint depth, byte* a, nint aRow, nint aStep, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        V c0 = V.Constant(0);
        V c1 = V.Constant(0);
        V c2 = V.Constant(0);
        V c3 = V.Constant(0);
        V c4 = V.Constant(0);
        V c5 = V.Constant(0);
        V c6 = V.Constant(0);
        V c7 = V.Constant(0);
        // Rows 3 and on are reached from a second pointer, so that every load is base + 0, 1 or 2 strides.
        byte* low = a + 3 * aRow;
        byte* last = a + 6 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = V.Load(b, 0);
            V x = V.Splat(a, 0);
            c0 = V.MultiplyAdd(x, b0, c0);
            x = V.Splat(a + aRow, 0);
            c1 = V.MultiplyAdd(x, b0, c1);
            x = V.Splat(a + 2 * aRow, 0);
            c2 = V.MultiplyAdd(x, b0, c2);
            x = V.Splat(low, 0);
            c3 = V.MultiplyAdd(x, b0, c3);
            x = V.Splat(low + aRow, 0);
            c4 = V.MultiplyAdd(x, b0, c4);
            x = V.Splat(low + 2 * aRow, 0);
            c5 = V.MultiplyAdd(x, b0, c5);
            x = V.Splat(last, 0);
            c6 = V.MultiplyAdd(x, b0, c6);
            x = V.Splat(last + aRow, 0);
            c7 = V.MultiplyAdd(x, b0, c7);
            a += aStep;
            low += aStep;
            last += aStep;
            b += bStep;
        }

        V scale = V.Constant(alpha);
        TileOutput.Write(y, c0, scale, accumulate);
        TileOutput.Write(y + yRow, c1, scale, accumulate);
        TileOutput.Write(y + 2 * yRow, c2, scale, accumulate);
        TileOutput.Write(y + 3 * yRow, c3, scale, accumulate);
        TileOutput.Write(y + 4 * yRow, c4, scale, accumulate);
        TileOutput.Write(y + 5 * yRow, c5, scale, accumulate);
        TileOutput.Write(y + 6 * yRow, c6, scale, accumulate);
        TileOutput.Write(y + 7 * yRow, c7, scale, accumulate);
    }
}
