namespace NanoFold.Engine.Experiments.Statistics;

/// <summary>A figure over seeds: its mean and how far single seeds are from it.</summary>
/// <param name="Mean">The mean; NaN of no values.</param>
/// <param name="StandardDeviation">√(Σ (x − mean)² ÷ (n − 1)); null of fewer than two values: one seed says nothing about others.</param>
/// <param name="Count">n.</param>
public sealed record SampleSummary(double Mean, double? StandardDeviation, int Count)
{
    /// <summary>The summary of values, in their order.</summary>
    public static SampleSummary Of(IReadOnlyList<double> values)
    {
        int n = values.Count;
        double mean = n == 0 ? double.NaN : values.Average();
        // Equal values have no spread, whatever their mean is rounded to.
        bool isConstant = values.All(value => value == values[0]);
        return n < 2
            ? new SampleSummary(mean, null, n)
            : new SampleSummary(isConstant ? values[0] : mean, isConstant ? 0 : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (n - 1)), n);
    }
}
