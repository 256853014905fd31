using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Share of a token's nearest neighbors that are of its own class, beside what chance gives, for every column of labels: token, next token, position and those of a task or a file.</summary>
public sealed record LabelOverlapMeasure : PointMeasure
{
    /// <summary>k, the neighbors of a token.</summary>
    [Bounds(1, 1024)]
    public int K { get; init; } = 10;

    /// <inheritdoc/>
    public override string Legend => "token, next, position = share of the k nearest neighbors that are the same token, have the same next one, stand as early";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("overlap." + LabelColumn.Token, "token", "0.00"), new("overlap." + LabelColumn.Next, "next", "0.00"), new("overlap." + LabelColumn.Position, "position", "0.00")];

    /// <inheritdoc/>
    public override int Neighbors => K;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (double)shape.Neighbors * shape.Neighbors * (width + 20);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        NeighborGraph graph = cloud.Neighbors(K);
        foreach (LabelColumn column in cloud.Rows.Labels)
        {
            ReadOnlySpan<int> labels = column.Values.AsSpan(cloud.Rows.First, cloud.NeighborCount);
            NeighborhoodOverlap overlap = NeighborhoodOverlap.WithLabels(graph, labels, K);
            figures.Add("overlap." + column.Name, overlap.Overlap, overlap.Status, $"k={K}, position 0 out, {graph.DuplicatesDropped} duplicates dropped", overlap.Points);
            figures.Add("byChance." + column.Name, overlap.Chance, overlap.Status, "share of all others of the same class", overlap.Points);
        }
    }
}
