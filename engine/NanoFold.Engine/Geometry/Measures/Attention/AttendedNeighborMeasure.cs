using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Whether heads attend to what lies near in the stream before the block: of the earlier tokens of the same document, the k that a query gives most to against the k
/// nearest, beside chance, and the rank correlation of weight and nearness. The document's first token and the query itself are left out.
/// </summary>
public sealed record AttendedNeighborMeasure : MixerMeasure
{
    private const string Before = "hook_resid_pre";

    /// <summary>k, keys that are compared.</summary>
    [Bounds(1, 64)]
    public int K { get; init; } = 5;

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override string Legend => "attended near = share of the keys attended to most that are nearest in the stream, too";

    /// <inheritdoc/>
    public override string Subject => "attention patterns";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("attendedNear", "attended near", "0.00"), new("attendedNearByChance", "by chance", "0.00")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> Points => [new("attn.hook_pattern", SampleKind.Windows)];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> PointsOfBlock => [new(Before, SampleKind.Windows)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Windows * shape.WindowLength * shape.WindowLength * (width + 400);

    /// <inheritdoc/>
    public override void Take(MixerSample mixer, FigureWriter figures)
    {
        if (mixer.Pattern(SampleKind.Windows) is not { } pattern || mixer.Block.Cloud(Before, SampleKind.Windows) is not { } stream)
        {
            return;
        }

        Mean overlaps = default, chances = default, correlations = default;
        long rows = 0;
        for (int head = 0; head < pattern.Heads; head++)
        {
            AttendedNeighbors own = Of(pattern, stream, head);
            Write(mixer.Head(figures, head), own.Overlap, own.Chance, own.Correlation, own.Rows);
            overlaps.Add(own.Overlap);
            chances.Add(own.Chance);
            correlations.Add(own.Correlation);
            rows = own.Rows;
        }

        Write(figures, overlaps.Value, chances.Value, correlations.Value, rows);
    }

    private AttendedNeighbors Of(PatternSample pattern, PointCloud stream, int head)
    {
        int length = pattern.Rows.RunLength, width = stream.Width;
        var own = new AttendedNeighbors(K, length);
        for (int window = 0; window < pattern.Rows.Count; window += length)
        {
            int first = window;
            for (int row = window; row < window + length; row++)
            {
                first = pattern.Rows.Documents[row] == pattern.Rows.Documents[first] ? first : row;
                own.Add(pattern.Weights(row, head)[(first - window)..(row - window + 1)], stream.Values[(first * width)..((row + 1) * width)], width);
            }
        }

        return own;
    }

    private void Write(FigureWriter figures, double? overlap, double? chance, double? correlation, long rows)
    {
        GeometryStatus status = rows > 0 ? GeometryStatus.Ok : GeometryStatus.TooFewPoints;
        string estimator = $"k={K}, mean over queries with at least {2 * K} other keys, position 0 out";
        figures.Add("attendedNear", overlap, status, estimator, rows);
        figures.Add("attendedNearByChance", chance, status, estimator, rows);
        figures.Add("nearnessCorrelation", correlation, status, "Spearman, weight and nearness, mean over queries, position 0 out", rows);
    }
}
