namespace NanoFold.Engine.Measurement;

/// <summary>Medians of timings, and how sure one can be of them.</summary>
public static class SampleStatistics
{
    private const double Confidence = 0.95;
    private const int Resamples = 2000;

    public static double Median(IReadOnlyList<double> samples) => SortedMedian([.. samples.Order()]);

    /// <summary>
    /// A 95 % confidence interval of the median by order statistics, whatever the distribution: the k-th smallest and k-th largest sample with the
    /// largest k for which at most 2.5 % of Binomial(n, ½) lies below k. Fewer than six samples give their range.
    /// </summary>
    public static (double Low, double High) MedianInterval(IReadOnlyList<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        int n = sorted.Length, k = 0;
        double probability = Math.Pow(0.5, n), below = probability;
        while (k < n / 2 && below <= (1 - Confidence) / 2)
        {
            k++;
            probability *= (double)(n - k + 1) / k;
            below += probability;
        }

        return (sorted[Math.Max(k, 1) - 1], sorted[n - Math.Max(k, 1)]);
    }

    /// <summary>
    /// median(samples) / median(baseline) with a 95 % percentile interval by the bootstrap. Blocks of √n neighbors are drawn, not single samples:
    /// what disturbs a machine lasts longer than one of them.
    /// </summary>
    public static (double Ratio, double Low, double High) MedianRatio(IReadOnlyList<double> samples, IReadOnlyList<double> baseline)
    {
        var random = new Random(1);
        var ratios = new double[Resamples];
        double[] drawn = new double[samples.Count], drawnBaseline = new double[baseline.Count];
        for (int i = 0; i < Resamples; i++)
        {
            ratios[i] = Resampled(samples, drawn, random) / Resampled(baseline, drawnBaseline, random);
        }

        Array.Sort(ratios);
        int tail = (int)(Resamples * (1 - Confidence) / 2);
        return (Median(samples) / Median(baseline), ratios[tail], ratios[^(tail + 1)]);
    }

    private static double Resampled(IReadOnlyList<double> samples, double[] drawn, Random random)
    {
        int block = (int)Math.Ceiling(Math.Sqrt(samples.Count));
        for (int i = 0; i < drawn.Length; i += block)
        {
            // The end is followed by the beginning, so that every sample is as likely.
            int start = random.Next(samples.Count);
            for (int j = i; j < Math.Min(i + block, drawn.Length); j++)
            {
                drawn[j] = samples[(start + j - i) % samples.Count];
            }
        }

        Array.Sort(drawn);
        return SortedMedian(drawn);
    }

    private static double SortedMedian(double[] sorted)
    {
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
