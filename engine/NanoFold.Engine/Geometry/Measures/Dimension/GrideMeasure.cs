using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Sampling;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Intrinsic dimension at growing scales, GRIDE at ranks 2, 4, 8 …: a curve that falls is noise of full dimension over a manifold of a lower one.
/// </summary>
public sealed record GrideMeasure : PointMeasure
{
    /// <summary>The largest rank n₂, a power of 2.</summary>
    [Bounds(2, 1024)]
    public int MostRank { get; init; } = 64;

    /// <inheritdoc/>
    public override string Legend => "GRIDE n = dimension from the ratio of the distances to neighbors n/2 and n";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [.. Ranks.Select(rank => new FigureColumn($"dimension.{rank}", $"GRIDE {rank}", "0.0"))];

    /// <inheritdoc/>
    public override int Neighbors => MostRank;

    private IEnumerable<int> Ranks => Enumerable.Range(1, 10).Select(power => 1 << power).TakeWhile(rank => rank <= MostRank);

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => DimensionFigures.Work(shape, width);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        foreach (DimensionEstimate estimate in Gride.ScaleScan(cloud.Neighbors(MostRank), MostRank))
        {
            DimensionFigures.Write(figures, "." + estimate.Method.Rank.ToString(CultureInfo.InvariantCulture), estimate, cloud.Width);
        }
    }
}
