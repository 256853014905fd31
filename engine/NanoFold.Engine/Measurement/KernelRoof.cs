using System.Diagnostics;
using NanoFold.Kernels;

namespace NanoFold.Engine.Measurement;

/// <summary>
/// What a backend can do at most, measured when asked for: its rate in matrix products, and how fast it copies a working set of a size (so that
/// a case which fits in a cache is held against that cache).
/// </summary>
public sealed class KernelRoof(Backend backend)
{
    private const long SmallestSet = 1 << 16;
    private const long LargestSet = 1 << 28;
    private const int Repetitions = 7;
    private const long BytesPerRepetition = 1 << 23;

    private readonly Dictionary<long, double> _bandwidths = [];
    private double _flopsPerSecond;

    /// <summary>See <see cref="MatMulPeak"/>.</summary>
    public double FlopsPerSecond => _flopsPerSecond > 0 ? _flopsPerSecond : _flopsPerSecond = MatMulPeak.Measure(backend);

    /// <summary>Bytes read and written a second by copies within <paramref name="workingSetBytes"/>, rounded up to a power of two.</summary>
    public double BytesPerSecond(long workingSetBytes)
    {
        long set = SmallestSet;
        while (set < workingSetBytes && set < LargestSet)
        {
            set *= 2;
        }

        if (!_bandwidths.TryGetValue(set, out double bandwidth))
        {
            _bandwidths.Add(set, bandwidth = Copies(set));
        }

        return bandwidth;
    }

    /// <summary>The least time that some work takes: its arithmetic at the one rate or its traffic at the other, whichever is longer.</summary>
    public double Seconds(double flops, long bytes) => Math.Max(flops / FlopsPerSecond, bytes / BytesPerSecond(bytes));

    private double Copies(long set)
    {
        using DeviceBuffer x = backend.Allocate(set / 2), y = backend.Allocate(set / 2);
        Layout layout = Layout.Of(checked((int)(set / 2 / sizeof(float))));
        View source = new(x, 0, layout, DType.Float32), target = new(y, 0, layout, DType.Float32);
        // Memory that was never written may be one page of zeros.
        backend.Fill(source, 1);
        int calls = (int)Math.Max(1, BytesPerRepetition / set);
        double best = 0;
        for (int i = 0; i <= Repetitions; i++)
        {
            long started = Stopwatch.GetTimestamp();
            for (int call = 0; call < calls; call++)
            {
                backend.Copy(source, target);
            }

            double rate = (double)set * calls / Stopwatch.GetElapsedTime(started).TotalSeconds;
            // The first round only maps the pages.
            best = i == 0 ? 0 : Math.Max(best, rate);
        }

        return best;
    }
}
