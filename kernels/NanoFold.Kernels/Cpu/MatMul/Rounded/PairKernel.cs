using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>8 rows by 32 columns with <c>vdpbf16ps</c>, see <see cref="PairProgram"/>.</summary>
internal readonly unsafe struct PairKernel<TPrograms> : IMicroKernel
    where TPrograms : struct, ITilePrograms
{
    public static int Rows => PairProgram.Rows;

    public static int Columns => PairProgram.Columns;

    public static int PanelRows(int left) => PairProgram.Rows;

    public static void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel
    {
        var arguments = new TileArguments
        {
            Panels = panels, Steps = depth, A = a, B = b, Y = y, YRow = yRow, Accumulate = accumulate ? 1 : 0, Alpha = (float)alpha,
        };
        TPrograms.Run(rows, narrow, &arguments);
    }
}
