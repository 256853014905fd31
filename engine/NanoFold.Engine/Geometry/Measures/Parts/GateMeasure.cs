using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>How open the gates of gated attention are at the sampled tokens: their mean, and the share that is closed.</summary>
public sealed record GateMeasure : BlockMeasure
{
    private const string Point = "attn.hook_gate";

    /// <summary>Below this a gate counts as closed.</summary>
    [Bounds(0, 1)]
    public double Threshold { get; init; } = 0.1;

    /// <inheritdoc/>
    public override string Legend => "gate = mean opening";

    /// <inheritdoc/>
    public override string Subject => "gates of attention";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("gateMean", "gate", "0.00")];

    /// <inheritdoc/>
    public override IReadOnlyList<Want> Wants => [new(Point)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Points * width;

    /// <inheritdoc/>
    public override void Take(BlockSample block, FigureWriter figures)
    {
        if (block.Cloud(Point) is { } cloud)
        {
            GateStatistics gates = GateStatistics.Measure(cloud.Values, (float)Threshold);
            figures.Add("gateMean", gates.Mean, gates.Status, "mean over tokens and gates", gates.Count);
            figures.Add("gateClosedShare", gates.ClosedShare, gates.Status, FormattableString.Invariant($"gates below {Threshold}"), gates.Count);
        }
    }
}
