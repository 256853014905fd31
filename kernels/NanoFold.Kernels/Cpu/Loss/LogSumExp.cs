using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Loss;

/// <summary>ln Σ eˣ of a row, its largest element taken out first.</summary>
internal static unsafe class LogSumExp
{
    public static double Of<V>(void* x, nint width)
        where V : struct, ICpuLane<V>
    {
        double largest = Largest<V>(x, width);
        V shift = V.Constant(largest);
        double total = 0;
        for (nint start = 0; start < width; start += LaneSum.Chunk)
        {
            total += Exponentials(x, start, Math.Min(start + LaneSum.Chunk, width), shift);
        }

        return largest + PortableMath.Log(total);
    }

    /// <summary>Σ e^(x − shift). One accumulator: an exponential takes far longer than the addition that waits for the last one.</summary>
    private static double Exponentials<V>(void* x, nint start, nint end, V shift)
        where V : struct, ICpuLane<V>
    {
        V sum = V.Constant(0);
        nint i = start;
        for (; i <= end - V.Width; i += V.Width)
        {
            sum += V.Exp(V.Load(x, i) - shift);
        }

        if (i < end)
        {
            sum += V.Exp(Part<V>.LoadOr(x, i, (int)(end - i), V.Constant(double.NegativeInfinity)) - shift);
        }

        return V.Sum(sum);
    }

    /// <summary>The largest element; one that is not a number may be passed over here, the sum above then carries it on.</summary>
    private static double Largest<V>(void* x, nint width)
        where V : struct, ICpuLane<V>
    {
        V lowest = V.Constant(double.NegativeInfinity);
        V m0 = lowest, m1 = lowest, m2 = lowest, m3 = lowest;
        nint i = 0;
        for (; i <= width - 4 * V.Width; i += 4 * V.Width)
        {
            m0 = V.Max(m0, V.Load(x, i));
            m1 = V.Max(m1, V.Load(x, i + V.Width));
            m2 = V.Max(m2, V.Load(x, i + 2 * V.Width));
            m3 = V.Max(m3, V.Load(x, i + 3 * V.Width));
        }

        for (; i <= width - V.Width; i += V.Width)
        {
            m0 = V.Max(m0, V.Load(x, i));
        }

        if (i < width)
        {
            m1 = V.Max(m1, Part<V>.LoadOr(x, i, (int)(width - i), lowest));
        }

        return V.Largest(V.Max(V.Max(m0, m1), V.Max(m2, m3)));
    }
}
