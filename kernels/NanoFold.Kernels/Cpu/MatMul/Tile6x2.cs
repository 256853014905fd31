using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>6 rows by 2 vectors: 12 sums, 2 vectors of b and one of a fill the 16 registers of AVX2 and SSE; enough independent sums for two FMA units.</summary>
internal readonly unsafe struct Tile6x2 : ITile
{
    public static int Rows => 6;

    public static int Vectors => 2;

    public static void Run<V>(nint depth, byte* a, nint aRow, nint aStep, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        V c00 = V.Constant(0), c01 = V.Constant(0);
        V c10 = V.Constant(0), c11 = V.Constant(0);
        V c20 = V.Constant(0), c21 = V.Constant(0);
        V c30 = V.Constant(0), c31 = V.Constant(0);
        V c40 = V.Constant(0), c41 = V.Constant(0);
        V c50 = V.Constant(0), c51 = V.Constant(0);
        // Rows 3 and on are reached from a second pointer, so that every load is base + 0, 1 or 2 strides.
        byte* low = a + 3 * aRow;
        for (; depth > 0; depth--)
        {
            V b0 = V.Load(b, 0);
            V b1 = V.Load(b, V.Width);
            V x = V.Splat(a, 0);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Splat(a + aRow, 0);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Splat(a + 2 * aRow, 0);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Splat(low, 0);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Splat(low + aRow, 0);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Splat(low + 2 * aRow, 0);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            a += aStep;
            low += aStep;
            b += bStep;
        }

        V scale = V.Constant(alpha);
        TileOutput.Write(y, c00, c01, scale, accumulate);
        TileOutput.Write(y + yRow, c10, c11, scale, accumulate);
        TileOutput.Write(y + 2 * yRow, c20, c21, scale, accumulate);
        TileOutput.Write(y + 3 * yRow, c30, c31, scale, accumulate);
        TileOutput.Write(y + 4 * yRow, c40, c41, scale, accumulate);
        TileOutput.Write(y + 5 * yRow, c50, c51, scale, accumulate);
    }
}
