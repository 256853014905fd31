using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Addresses and single elements of memory whose type is a lane's.</summary>
internal static unsafe class Element
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static nint Size<V>()
        where V : struct, ICpuLane<V>
        => V.Type == DType.Float64 ? sizeof(double) : sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void* At<V>(void* start, nint index)
        where V : struct, ICpuLane<V>
        => (byte*)start + index * Size<V>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Get<V>(void* start, nint index)
        where V : struct, ICpuLane<V>
        => V.Type == DType.Float64 ? ((double*)start)[index] : ((float*)start)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set<V>(void* start, nint index, double value)
        where V : struct, ICpuLane<V>
    {
        if (V.Type == DType.Float64)
        {
            ((double*)start)[index] = value;
        }
        else
        {
            ((float*)start)[index] = (float)value;
        }
    }
}
