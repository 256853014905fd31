using System.Diagnostics;
using NanoFold.Engine.Measurement;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Profiling;

/// <summary>
/// What a machine can reach at most (Williams, Waterman and Patterson 2009): work of F FLOPs on B bytes takes at least
/// max(F / peak, B / bandwidth). Data that stays in a cache comes faster than memory's bandwidth, so shares may exceed 1.
/// </summary>
/// <param name="FlopsPerSecond">Float32, the better of multiply-adds on registers (on a CPU) and matrix products of 768³.</param>
/// <param name="BytesPerSecond">
/// Of a triad over arrays far beyond any cache, two read and one written: the better of y = a + s · b and, where no line is fetched only to be
/// overwritten, y = y + s · b.
/// </param>
public sealed record Roofline(double FlopsPerSecond, double BytesPerSecond)
{
    private const long TriadElements = 32L << 20;
    private const int TriadRuns = 12;

    /// <summary>FLOPs per byte above which work is bound by computing.</summary>
    public double Ridge => FlopsPerSecond / BytesPerSecond;

    /// <summary>The shortest time for this work.</summary>
    public double LeastSeconds(double flops, double bytes) => Math.Max(flops / FlopsPerSecond, bytes / BytesPerSecond);

    /// <summary>Whether the peak rate, rather than memory, limits this work.</summary>
    public bool IsComputeBound(double flops, double bytes) => flops / FlopsPerSecond >= bytes / BytesPerSecond;

    /// <summary>The share of what could be reached; above 1 where data came from a cache. 0 for what neither computes nor moves.</summary>
    public double ShareOf(ProfileRow row) => row.Seconds > 0 ? LeastSeconds(row.Flops, row.Bytes) / row.Seconds : 0;

    /// <summary>Measures it, in one or two seconds: the best of several runs, as what disturbs a machine only makes it slower.</summary>
    public static Roofline Measure(Backend backend) => Measure(backend, default);

    /// <summary>The same with products in another type.</summary>
    public static Roofline Measure(Backend backend, Arithmetic arithmetic)
    {
        double products = MatMulPeak.Measure(backend, arithmetic);
        double registers = backend is CpuBackend cpu ? MultiplyAddRate.Measure(cpu.Context) : 0;
        return new Roofline(Math.Max(products, registers), Triad(backend));
    }

    private static double Triad(Backend backend)
    {
        // Where memory is short a sixteenth of it has to do.
        long available = DeviceMemory.Available(backend);
        int count = (int)Math.Clamp(available / 16 / sizeof(float), 1 << 20, TriadElements);
        long bytes = (long)count * sizeof(float);
        using DeviceBuffer a = backend.Allocate(bytes), b = backend.Allocate(bytes), y = backend.Allocate(bytes);
        Layout layout = Layout.Of(count);
        View left = new(a, 0, layout, DType.Float32), right = new(b, 0, layout, DType.Float32), target = new(y, 0, layout, DType.Float32);
        backend.Fill(left, 1);
        backend.Fill(right, 2);
        double best = 0;
        for (int i = 0; i < 2 * TriadRuns; i++)
        {
            backend.Synchronize();
            long started = Stopwatch.GetTimestamp();
            backend.Zip(default(ScaledSum), i % 2 == 0 ? left : target, right, target);
            backend.Synchronize();
            best = Math.Max(best, 3.0 * bytes / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }

    internal readonly struct ScaledSum : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => V.MultiplyAdd(V.Constant(3), b, a);
    }
}
