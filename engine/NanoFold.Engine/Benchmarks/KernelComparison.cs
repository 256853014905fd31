namespace NanoFold.Engine.Benchmarks;

/// <summary>Timings against earlier ones.</summary>
/// <param name="Ratio">Median now over median then: below 1 is faster.</param>
/// <param name="Low">Of its 95 % interval.</param>
/// <param name="High">Of its 95 % interval.</param>
public readonly record struct KernelComparison(double Ratio, double Low, double High)
{
    /// <summary>What is said of a ratio whose whole interval lies on one side of 1, or not.</summary>
    public string Verdict => High < 1 ? "faster" : Low > 1 ? "slower" : "no difference";

    public static KernelComparison Of(KernelSamples now, KernelSamples then)
    {
        (double ratio, double low, double high) = SampleStatistics.MedianRatio(now.SamplesMs, then.SamplesMs);
        return new KernelComparison(ratio, low, high);
    }
}
