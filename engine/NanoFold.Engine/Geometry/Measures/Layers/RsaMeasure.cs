using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Representational similarity of two layers: Spearman's correlation of their distances between all pairs of tokens (Kriegeskorte, Mur and Bandettini 2008).</summary>
public sealed record RsaMeasure : PairMeasure
{
    /// <summary>Tokens whose pairs are compared, which costs their square.</summary>
    [Bounds(3, 8192)]
    public int PairTokens { get; init; } = 512;

    /// <inheritdoc/>
    public override string Legend => "RSA = Spearman's correlation of both layers' distances between tokens";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("rsa", "RSA", "0.000")];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)Math.Min(PairTokens, shape.Neighbors) * Math.Min(PairTokens, shape.Neighbors) * (width + 60);

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => 5 * PairDistances.Bytes(Math.Min(PairTokens, shape.Neighbors));

    /// <inheritdoc/>
    public override void Take(PointCloud first, PointCloud second, FigureWriter figures)
    {
        (double? rsa, GeometryStatus status, int points) = Between(first, second, PairTokens);
        figures.Add("rsa", rsa, status, "Spearman of Euclidean distances of all pairs, position 0 out", points);
    }

    /// <summary>The correlation, where both clouds are finite and neither is one point.</summary>
    internal static (double? Rsa, GeometryStatus Status, int Points) Between(PointCloud first, PointCloud second, int most)
    {
        int n = Math.Min(most, first.NeighborCount);
        PairDistances Of(PointCloud cloud) => PairDistances.Of(cloud.NeighborValues[..(n * cloud.Width)], n, cloud.Width);
        PairDistances x = Of(first), y = Of(second);
        GeometryStatus status = n < 3 ? GeometryStatus.TooFewPoints : x.Status != GeometryStatus.Ok ? x.Status : y.Status;
        double? rsa = status == GeometryStatus.Ok ? RankCorrelation.Spearman(x.Values, y.Values) : null;
        return (rsa, status == GeometryStatus.Ok && rsa is null ? GeometryStatus.ZeroVariance : status, n);
    }
}
