using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace NanoFold.Kernels.Cpu.MatMul.Tiles;

/// <summary>Hints to the cache; nothing where the machine has none.</summary>
internal static unsafe class Prefetch
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Line(byte* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>Fetches rows of y that a tile will add to at its end, so that the wait overlaps its sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Rows(byte* y, nint yRow, int rows, int bytes)
    {
        if (!Sse.IsSupported)
        {
            return;
        }

        for (int i = 0; i < rows; i++)
        {
            // A row of 64 bytes may lie on two lines.
            Sse.Prefetch0(y);
            Sse.Prefetch0(y + bytes - 1);
            y += yRow;
        }
    }
}
