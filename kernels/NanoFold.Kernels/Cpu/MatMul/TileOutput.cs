using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>How a tile leaves the registers: one row of y at a time.</summary>
internal static unsafe class TileOutput
{
    /// <summary>y = scale · sum (+ y), two vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<V>(byte* y, V sum0, V sum1, V scale, bool accumulate)
        where V : struct, ICpuLane<V>
    {
        Write(y, sum0, scale, accumulate);
        Write(y + V.Width * V.Type.Size(), sum1, scale, accumulate);
    }

    /// <summary>y = scale · sum (+ y), one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<V>(byte* y, V sum, V scale, bool accumulate)
        where V : struct, ICpuLane<V>
        => V.Store(y, 0, accumulate ? V.MultiplyAdd(sum, scale, V.Load(y, 0)) : sum * scale);
}
