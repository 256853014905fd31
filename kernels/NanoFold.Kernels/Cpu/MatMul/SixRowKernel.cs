using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>6 rows by 2 vectors, with 4 rows and 1 vector at the edges: for machines of 16 vector registers or two FMA units.</summary>
internal readonly unsafe struct SixRowKernel<V, T> : IMicroKernel<T>
    where V : struct, ICpuLane<V>
    where T : unmanaged
{
    public static int Rows => 6;

    public static int Columns => 2 * V.Width;

    public static int NarrowColumns => V.Width;

    /// <summary>6, but 4 for the last 1 to 4, 7 and 8 rows: as 4 or 4 + 4 they waste at most 3 rows, mostly none.</summary>
    public static int PanelRows(int left) => left is <= 4 or 7 or 8 ? 4 : 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int rows, bool narrow, nint depth, byte* a, nint aRow, nint aStep, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
    {
        switch (rows, narrow)
        {
            case (6, false):
                Tile6x2.Run<V>(depth, a, aRow, aStep, b, bStep, y, yRow, alpha, accumulate);
                break;
            case (6, true):
                Tile6x1.Run<V>(depth, a, aRow, aStep, b, bStep, y, yRow, alpha, accumulate);
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
