using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>Lanes of a row of which the last may be a part.</summary>
internal static unsafe class LaneRow
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<V>(byte* source, nint index, int count)
        where V : struct, ICpuLane<V>
        => count == V.Width ? V.Load(source, index) : V.LoadPart(source, index, count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<V>(byte* target, nint index, int count, V value)
        where V : struct, ICpuLane<V>
    {
        if (count == V.Width)
        {
            V.Store(target, index, value);
        }
        else
        {
            V.StorePart(target, index, count, value);
        }
    }
}
