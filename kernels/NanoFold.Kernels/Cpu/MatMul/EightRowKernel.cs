using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>8 rows by 2 vectors, with 4 rows and 1 vector at the edges: for the 32 registers of 64-bit Arm.</summary>
internal readonly unsafe struct EightRowKernel<V, T> : IMicroKernel<T>
    where V : struct, ICpuLane<V>
    where T : unmanaged
{
    public static int Rows => 8;

    public static int Columns => 2 * V.Width;

    public static int NarrowColumns => V.Width;

    public static int PanelRows(int left) => left <= 4 ? 4 : 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int rows, bool narrow, nint depth, byte* a, nint aRow, nint aStep, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
    {
        switch (rows, narrow)
        {
            case (8, false):
                Tile8x2.Run<V>(depth, a, aRow, aStep, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (8, true):
                Tile8x1.Run<V>(depth, a, aRow, aStep, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (_, false):
                Tile4x2.Run<V>(depth, a, aRow, aStep, b, bStep, y, yRow, alpha, accumulate);
                break;
            default:
                Tile4x1.Run<V>(depth, a, aRow, aStep, b, bStep, y, yRow, alpha, accumulate);
                break;
        }
    }
}
