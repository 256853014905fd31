using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.RowKernels;

/// <summary>ln Σ eˣ of a row, its largest element taken out first.</summary>
internal static unsafe class LogSumExp
{
    public static double Of<V>(void* x, nint width)
        where V : struct, ICpuLane<V>
    {
        double largest = Largest<V>(x, width);
        return largest + Math.Log(LaneSum.Of<LaneSum.Exponential, V>(x, null, null, V.Constant(largest), width));
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
