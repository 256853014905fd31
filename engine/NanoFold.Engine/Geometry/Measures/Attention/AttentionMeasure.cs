using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How concentrated attention is, over all heads, at the sampled queries: entropy of a row, entropy ÷ ln t of rows that may choose among t keys,
/// weight on position 0, and the share of heads whose mean weight on it is above a threshold.
/// </summary>
public sealed record AttentionMeasure : BlockMeasure
{
    private const string Estimator = "mean over queries and heads", WithoutFirst = Estimator + ", position 0 out";

    /// <summary>Mean weight on position 0 above which a head counts as a sink.</summary>
    [Bounds(0, 1)]
    public double SinkThreshold { get; init; } = 0.3;

    /// <inheritdoc/>
    public override string Legend => "entropy, sink = of attention rows, ÷ ln t, and their weight on position 0";

    /// <inheritdoc/>
    public override string Subject => "attention patterns";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("attentionEntropyShare", "entropy", "0.00"), new("firstTokenMass", "sink", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new("attn.hook_pattern", SampleKind.Queries)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Queries * shape.Time * width;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Pattern is not { } pattern)
        {
            return;
        }

        AttentionStatistics statistics = StatisticsOf(pattern);
        PositionSplit<AttentionSummary> split = statistics.Overall();
        Write(figures, split);
        figures.Add("sinkHeadShare", statistics.SinkShare(SinkThreshold), split.WithoutFirst.Status, FormattableString.Invariant($"heads above {SinkThreshold}, position 0 out"), pattern.Heads);
    }

    internal static AttentionStatistics StatisticsOf(PatternSample pattern)
    {
        var statistics = new AttentionStatistics(pattern.Heads, causal: false);
        for (int row = 0; row < pattern.Rows.Count; row++)
        {
            for (int head = 0; head < pattern.Heads; head++)
            {
                statistics.AddRow(head, pattern.Rows.Positions[row], pattern.Weights(row, head)[..pattern.Keys(row)]);
            }
        }

        return statistics;
    }

    internal static void Write(FigureWriter figures, PositionSplit<AttentionSummary> split)
    {
        (AttentionSummary all, AttentionSummary later) = (split.All, split.WithoutFirst);
        figures.Add("attentionEntropy", all.Entropy, all.Status, Estimator, all.Rows);
        figures.Add("attentionEntropyShare", all.EntropyShare, all.Status, Estimator, all.Rows);
        figures.Add("firstTokenMass", all.FirstMass, all.Status, Estimator, all.Rows);
        figures.Add("firstTokenMassWithoutFirst", later.FirstMass, later.Status, WithoutFirst, later.Rows);
    }
}
