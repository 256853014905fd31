using System.Diagnostics;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu;

/// <summary>How fast the processor computes when nothing is loaded or stored: independent chains of multiply-adds on registers.</summary>
public static unsafe class MultiplyAddRate
{
    // Enough to cover the latency of two units, few enough for 16 registers.
    private const int Chains = 12;
    private const int Iterations = 100_000;
    private const int ItemsPerThread = 4;

    // A run takes about a millisecond, so that some find the machine undisturbed.
    private const double Seconds = 0.5;

    /// <summary>FLOP/s in float32 of all threads: the best of many short runs.</summary>
    public static double Measure(CpuContext context)
    {
        long items = (long)ItemsPerThread * context.Workers.Count;
        double flops = 2.0 * Chains * Iterations * (int)context.Isa * items, best = 0;
        long begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun).TotalSeconds < Seconds)
        {
            var work = new Work { Context = context };
            long started = Stopwatch.GetTimestamp();
            context.Run(DType.Float32, items, ref work);
            best = Math.Max(best, flops / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }

    private struct Work : ILaneWork
    {
        public required CpuContext Context;

        public readonly void Invoke<V>(long item, int worker)
            where V : struct, ICpuLane<V>
        {
            // Each chain goes to 1 and stays there.
            V factor = V.Constant(0.5), added = V.Constant(0.5);
            V a = V.Constant(item), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
            for (int n = 0; n < Iterations; n++)
            {
                a = V.MultiplyAdd(a, factor, added);
                b = V.MultiplyAdd(b, factor, added);
                c = V.MultiplyAdd(c, factor, added);
                d = V.MultiplyAdd(d, factor, added);
                e = V.MultiplyAdd(e, factor, added);
                f = V.MultiplyAdd(f, factor, added);
                g = V.MultiplyAdd(g, factor, added);
                h = V.MultiplyAdd(h, factor, added);
                i = V.MultiplyAdd(i, factor, added);
                j = V.MultiplyAdd(j, factor, added);
                k = V.MultiplyAdd(k, factor, added);
                l = V.MultiplyAdd(l, factor, added);
            }

            // Written somewhere, or it would not be computed.
            V.Store(Context.Scratch(worker, Vector512Bytes), 0, ((a + b) + (c + d)) + ((e + f) + (g + h)) + ((i + j) + (k + l)));
        }

        private const int Vector512Bytes = 64;
    }
}
