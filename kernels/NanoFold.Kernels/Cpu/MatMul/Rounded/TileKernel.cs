using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using NanoFold.Kernels.Cpu.MatMul.Tiles;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>32 rows by 32 columns with AMX, see <see cref="TileProgram"/>; 16 rows for what is left.</summary>
internal readonly unsafe struct TileKernel<TPrograms> : IMicroKernel
    where TPrograms : struct, ITilePrograms
{
    private static readonly byte* s_configuration = Configuration();

    public static int Rows => 2 * TileProgram.Side;

    public static int Columns => TileProgram.Columns;

    public static int PanelRows(int left) => left <= TileProgram.Side ? TileProgram.Side : 2 * TileProgram.Side;

    [SkipLocalsInit]
    public static void Run<P>(int rows, bool narrow, int panels, nint depth, byte* a, nint aStride, byte* b, nint bStep, byte* y, nint yRow, double alpha, bool accumulate)
        where P : struct, IPanel
    {
        const int Line = 64;
        byte* room = stackalloc byte[TileProgram.BufferBytes + Line];
        var arguments = new TileArguments
        {
            Panels = panels, Steps = depth, A = a, B = b, Y = y, YRow = yRow, Accumulate = accumulate ? 1 : 0, Alpha = (float)alpha,
            Configuration = s_configuration, Buffer = (byte*)(((nint)room + Line - 1) & ~(nint)(Line - 1)),
        };
        TPrograms.Run(rows, narrow, &arguments);
    }

    // Lives as long as the process.
    private static byte* Configuration()
    {
        byte* configuration = (byte*)NativeMemory.AlignedAlloc(TileProgram.ConfigurationBytes, TileProgram.ConfigurationBytes);
        TileProgram.Configure(new Span<byte>(configuration, TileProgram.ConfigurationBytes));
        return configuration;
    }
}
