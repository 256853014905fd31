namespace NanoFold.Engine.Experiments.Statistics;

/// <summary>
/// The percentile interval of a mean by the bootstrap (Efron 1979) over pairs: seeds are drawn with replacement, each with the difference that it gave. Few seeds hold few resamples: its
/// intervals of 3 seeds cover far less than they say, which is why a verdict rests on Student's t.
/// </summary>
internal static class PairedBootstrap
{
    private const int MostListed = 6;
    private const int Draws = 10_000;

    /// <summary>The interval that leaves half of a share on each side; the same for the same differences.</summary>
    /// <param name="differences">Two or more.</param>
    /// <param name="share">Outside of it: 0.05.</param>
    public static Interval Percentile(IReadOnlyList<double> differences, double share)
    {
        double[] means = differences.Count <= MostListed ? All(differences) : Drawn(differences);
        Array.Sort(means);
        int tail = (int)(means.Length * share / 2);
        return new Interval(means[tail], means[^(tail + 1)]);
    }

    // All nⁿ resamples of few values.
    private static double[] All(IReadOnlyList<double> values)
    {
        int n = values.Count;
        var means = new double[(int)Math.Pow(n, n)];
        for (int i = 0; i < means.Length; i++)
        {
            double sum = 0;
            for (int digit = 0, rest = i; digit < n; digit++, rest /= n)
            {
                sum += values[rest % n];
            }

            means[i] = sum / n;
        }

        return means;
    }

    private static double[] Drawn(IReadOnlyList<double> values)
    {
        var random = new Random(1);
        var means = new double[Draws];
        for (int i = 0; i < Draws; i++)
        {
            double sum = 0;
            for (int j = 0; j < values.Count; j++)
            {
                sum += values[random.Next(values.Count)];
            }

            means[i] = sum / values.Count;
        }

        return means;
    }
}
