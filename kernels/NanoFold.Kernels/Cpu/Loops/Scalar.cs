using System.Runtime.CompilerServices;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loops;

/// <summary>Single elements of a lane's type, as doubles.</summary>
internal static unsafe class Scalar
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double Read<V>(void* source, long index)
        where V : struct, ICpuLane<V>
        => V.Type == DType.Float64 ? ((double*)source)[index] : ((float*)source)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<V>(void* target, long index, double value)
        where V : struct, ICpuLane<V>
    {
        if (V.Type == DType.Float64)
        {
            ((double*)target)[index] = value;
        }
        else
        {
            ((float*)target)[index] = (float)value;
        }
    }

    /// <summary>Reads the only element of a view of one, outside of any lane.</summary>
    public static double Read(in View view) => view.Type == DType.Float64 ? *(double*)view.Address : *view.Floats;

    public static void Write(in View view, double value)
    {
        if (view.Type == DType.Float64)
        {
            *(double*)view.Address = value;
        }
        else
        {
            *view.Floats = (float)value;
        }
    }
}
