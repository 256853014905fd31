using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>How far back attention reaches: its mass by lag beside that of even attention, and the mean lag, of each head and as means over heads.</summary>
public sealed record AttentionLagMeasure : MixerMeasure
{
    /// <inheritdoc/>
    public override string Legend => "lag = mean distance of the keys attended to, weighted by their mass, key 0 left out";

    /// <inheritdoc/>
    public override string Subject => "attention patterns";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("meanLag", "lag", "0.0")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> Points => [new("attn.hook_pattern", SampleKind.Queries)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 4.0 * shape.Queries * shape.Time;

    /// <inheritdoc/>
    public override void Take(MixerSample mixer, FigureWriter figures)
    {
        if (mixer.Pattern(SampleKind.Queries) is not { } pattern)
        {
            return;
        }

        var all = new LagProfile(pattern.Time);
        Mean lags = default;
        for (int head = 0; head < pattern.Heads; head++)
        {
            var own = new LagProfile(pattern.Time);
            Mean lag = default;
            for (int row = 0; row < pattern.Rows.Count; row++)
            {
                // Only keys up to the query have a lag.
                ReadOnlySpan<float> weights = pattern.Weights(row, head)[..(pattern.Rows.Positions[row] + 1)];
                own.Add(weights);
                all.Add(weights);
                lag.Add(MeanLag(weights));
            }

            Write(mixer.Head(figures, head), own, lag);
            lags.Join(lag);
        }

        Write(figures, all, lags);
    }

    private static double? MeanLag(ReadOnlySpan<float> weights)
    {
        double sum = 0, lags = 0;
        for (int key = 1; key < weights.Length; key++)
        {
            sum += weights[key];
            lags += weights[key] * (double)(weights.Length - 1 - key);
        }

        return sum > 0 ? lags / sum : null;
    }

    private static void Write(FigureWriter figures, LagProfile profile, Mean lag)
    {
        figures.Add("meanLag", lag.Value, lag.Status, "Σ weight · lag ÷ Σ weight, mean over queries, key 0 out", lag.Count, lag.Error);
        for (int bin = 0; bin < profile.Bins; bin++)
        {
            string estimator = $"lags {LagProfile.FirstLag(bin)} to {LagProfile.LastLag(bin)}, mean over the queries that see them and one key more";
            GeometryStatus status = profile.Rows(bin) > 0 ? GeometryStatus.Ok : GeometryStatus.TooFewPoints;
            figures.Add("mass." + LagProfile.Name(bin), profile.Sum(bin), status, estimator, profile.Rows(bin));
            figures.Add("evenMass." + LagProfile.Name(bin), profile.EvenShare(bin), status, estimator + ", of even attention", profile.Rows(bin));
        }
    }
}
