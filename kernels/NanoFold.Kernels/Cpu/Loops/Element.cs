using NanoFold.Kernels.Lanes;
using System.Runtime.CompilerServices;

namespace NanoFold.Kernels.Cpu.Loops;

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
    public static double Get<V>(void* start, long index)
        where V : struct, ICpuLane<V>
        => V.Type == DType.Float64 ? ((double*)start)[index] : ((float*)start)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set<V>(void* start, long index, double value)
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

    /// <summary>target[i] = i for <paramref name="count"/> elements, in whole lanes.</summary>
    public static void Count<V>(void* target, int count)
        where V : struct, ICpuLane<V>
    {
        for (int i = 0; i < Math.Min(V.Width, count); i++)
        {
            Set<V>(target, i, i);
        }

        V first = V.Load(target, 0);
        for (int i = V.Width; i < count; i += V.Width)
        {
            V.Store(target, i, first + V.Constant(i));
        }
    }

    public static void Fill<V>(void* target, int count, double value)
        where V : struct, ICpuLane<V>
    {
        if (V.Type == DType.Float64)
        {
            new Span<double>(target, count).Fill(value);
        }
        else
        {
            new Span<float>(target, count).Fill((float)value);
        }
    }

    /// <summary>target[i] = source[i · stride]; nothing where the count is not positive.</summary>
    public static void CopyStrided<V>(void* source, nint stride, void* target, int count)
        where V : struct, ICpuLane<V>
    {
        for (nint i = 0; i < count; i++)
        {
            if (V.Type == DType.Float64)
            {
                ((double*)target)[i] = ((double*)source)[i * stride];
            }
            else
            {
                ((float*)target)[i] = ((float*)source)[i * stride];
            }
        }
    }

    /// <summary>Reads the only element of a view of one, outside of any lane.</summary>
    public static double Get(in View view) => view.Type == DType.Float64 ? *(double*)view.Address : *view.Floats;

    public static void Set(in View view, double value)
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
