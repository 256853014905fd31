namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>8 rows by 2 vectors, with 4 rows and 1 vector at the edges: for the 32 registers of 64-bit Arm.</summary>
internal readonly unsafe struct EightRowKernel<O, V> : IMicroKernel
    where O : struct, IVectorOps<V>
    where V : struct
{
    public static int Rows => 8;

    public static int Columns => 2 * O.Bytes / O.ElementBytes;

    public static int PanelRows(int left) => left <= 4 ? 4 : 8;

    public static void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aRow, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel
    {
        switch (rows, narrow)
        {
            case (8, false):
                Tile8x2.Run<O, V, P>(panels, depth, a, aRow, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (8, true):
                Tile8x1.Run<O, V, P>(panels, depth, a, aRow, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (_, false):
                Tile4x2.Run<O, V, P>(panels, depth, a, aRow, b, bStep, y, yRow, alpha, accumulate);
                break;
            default:
                Tile4x1.Run<O, V, P>(panels, depth, a, aRow, b, bStep, y, yRow, alpha, accumulate);
                break;
        }
    }
}
