using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Reduce;

/// <summary>
/// Reads four streams at a time, which hardware prefetchers follow faster than one, with two independent sums each, so that loads, not additions,
/// are what takes the time.
/// </summary>
public sealed unsafe class CpuMemoryRead(CpuContext context) : IKernel<MemoryReadCall>
{
    /// <summary>A megabyte of float32: long enough for the hardware's prefetcher, short enough to share out.</summary>
    private const int ItemElements = 1 << 18;

    /// <exception cref="ArgumentException">Not real, not contiguous, or outside its buffer.</exception>
    public void Run(in MemoryReadCall call)
    {
        call.Check();
        View x = call.X;
        long items = (x.Count + ItemElements - 1) / ItemElements;
        var work = new Work { X = x.Address, Count = x.Count, Sums = (double*)context.Scratch(0, items * sizeof(double)) };
        context.Run(x.Type, items, ref work);
        double sum = 0;
        for (long i = 0; i < items; i++)
        {
            sum += work.Sums[i];
        }

        *call.Sum.Floats = (float)sum;
    }

    private struct Work : ILaneWork
    {
        public void* X;
        public long Count;
        public double* Sums;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            nint start = (nint)(item * ItemElements), end = (nint)Math.Min(Count, (item + 1) * ItemElements), w = V.Width;
            nint stream = (end - start) / 4 / (2 * w) * (2 * w), i = start;
            V s0 = V.Constant(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
            for (; i < start + stream; i += 2 * w)
            {
                s0 += V.Load(X, i);
                s1 += V.Load(X, i + w);
                s2 += V.Load(X, i + stream);
                s3 += V.Load(X, i + stream + w);
                s4 += V.Load(X, i + (2 * stream));
                s5 += V.Load(X, i + (2 * stream) + w);
                s6 += V.Load(X, i + (3 * stream));
                s7 += V.Load(X, i + (3 * stream) + w);
            }

            for (i = start + (4 * stream); i < end; i += w)
            {
                s0 += V.LoadPart(X, i, (int)Math.Min(w, end - i));
            }

            Sums[item] = V.Sum(s0 + s1 + (s2 + s3) + (s4 + s5 + (s6 + s7)));
        }
    }
}
