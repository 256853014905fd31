using NanoFold.Engine.Measurement;

namespace NanoFold.Engine.Benchmarks;

/// <summary>Timings against earlier ones.</summary>
/// <param name="Ratio">Median now over median then: below 1 is faster.</param>
/// <param name="Low">Of its 95 % interval.</param>
/// <param name="High">Of its 95 % interval.</param>
/// <param name="Machine">The same of the <see cref="Yardstick"/>: what the machine alone makes of it.</param>
public readonly record struct KernelComparison(double Ratio, double Low, double High, double Machine)
{
    /// <summary>Faster or slower only where the whole interval says so, as measured and with the machine's own speed taken out.</summary>
    public string Verdict => High < Math.Min(1, Machine) ? "faster" : Low > Math.Max(1, Machine) ? "slower" : "no difference";

    public static KernelComparison Of(KernelSamples now, KernelSamples then)
    {
        (double ratio, double low, double high) = SampleStatistics.MedianRatio(now.SamplesMs, then.SamplesMs);
        return new KernelComparison(ratio, low, high, SampleStatistics.Median(now.YardstickMs) / SampleStatistics.Median(then.YardstickMs));
    }
}
