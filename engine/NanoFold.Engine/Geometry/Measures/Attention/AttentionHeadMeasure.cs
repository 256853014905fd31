using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>The figures of <c>attention</c>, of each head alone.</summary>
public sealed record AttentionHeadMeasure : HeadMeasure
{
    /// <inheritdoc/>
    public override string Legend => "entropy, sink = of a head's attention rows, ÷ ln t, and their weight on position 0";

    /// <inheritdoc/>
    public override string Subject => "attention patterns";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("attentionEntropyShare", "entropy", "0.00"), new("firstTokenMass", "sink", "0.00")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Queries * shape.Time * width;

    /// <inheritdoc/>
    public override void Take(PatternSample pattern, int head, FigureWriter figures)
    {
        var statistics = new AttentionStatistics(1, causal: false);
        for (int row = 0; row < pattern.Rows.Count; row++)
        {
            statistics.AddRow(0, pattern.Rows.Positions[row], pattern.Weights(row, head)[..pattern.Keys(row)]);
        }

        AttentionMeasure.Write(figures, statistics.Overall());
    }
}
