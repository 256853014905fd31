using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// How much of each point's neighborhood two representations share (Doimo et al. 2020), or how much of it carries the
/// point's own label. 1 for identical neighborhoods, about k/(N − 1) for independent ones.
/// </summary>
public sealed record NeighborhoodOverlap
{
    /// <summary>Whether <see cref="Overlap"/> is there.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>Points compared: rows that are in both graphs, duplicates in either left out.</summary>
    public required int Points { get; init; }

    /// <summary>k.</summary>
    public required int K { get; init; }

    /// <summary>Mean share of the k neighbors in common.</summary>
    public double? Overlap { get; init; }

    /// <summary>What chance gives: k/(N − 1) between layers, the mean share of all other points with the same label.</summary>
    public double? Chance { get; init; }

    /// <summary>Mean of |N_k ∩ N′_k|/k between two graphs over the same rows.</summary>
    /// <param name="first">Holds at least k neighbors.</param>
    /// <param name="second">Holds at least k neighbors; of the same number of rows.</param>
    /// <param name="k">At least 1.</param>
    public static NeighborhoodOverlap Between(NeighborGraph first, NeighborGraph second, int k)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        if (first.TotalRows != second.TotalRows)
        {
            throw new ArgumentException(
                $"Neighborhood overlap: one graph is over {first.TotalRows} rows, the other over {second.TotalRows}.");
        }

        if ((Fault(first, k) ?? Fault(second, k)) is { } fault)
        {
            return fault;
        }

        int[] seen = new int[first.TotalRows]; // the last point that marked the row as its neighbor, plus 1
        int points = 0;
        long common = 0;
        for (int i = 0, j = 0; i < first.Count && j < second.Count;)
        {
            int order = first.Rows[i].CompareTo(second.Rows[j]);
            if (order == 0)
            {
                points++;
                foreach (int row in first.Neighbors(i)[..k])
                {
                    seen[row] = points;
                }

                foreach (int row in second.Neighbors(j)[..k])
                {
                    common += seen[row] == points ? 1 : 0;
                }
            }

            i += order <= 0 ? 1 : 0;
            j += order >= 0 ? 1 : 0;
        }

        return Result(points, k, (double)common / points / k, (double)k / (points - 1));
    }

    /// <summary>Mean share of the k neighbors that carry the point's label, over points that have one.</summary>
    /// <param name="graph">Holds at least k neighbors.</param>
    /// <param name="labels">A label for every row, duplicates included; below 0 for none.</param>
    /// <param name="k">At least 1.</param>
    public static NeighborhoodOverlap WithLabels(NeighborGraph graph, ReadOnlySpan<int> labels, int k)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        if (labels.Length != graph.TotalRows)
        {
            throw new ArgumentException($"Neighborhood overlap: {labels.Length} labels for {graph.TotalRows} rows.");
        }

        if (Fault(graph, k) is { } fault)
        {
            return fault;
        }

        Dictionary<int, int> sizes = [];
        long common = 0;
        int points = 0;
        for (int i = 0; i < graph.Count; i++)
        {
            int label = labels[graph.Rows[i]];
            if (label < 0)
            {
                continue;
            }

            points++;
            sizes[label] = sizes.GetValueOrDefault(label) + 1;
            foreach (int row in graph.Neighbors(i)[..k])
            {
                common += labels[row] == label ? 1 : 0;
            }
        }

        double pairs = sizes.Values.Sum(size => (double)size * (size - 1));
        double n = points;
        return Result(points, k, common / n / k, pairs / (n * (graph.Count - 1)));
    }

    private static NeighborhoodOverlap? Fault(NeighborGraph graph, int k)
    {
        GeometryStatus status = graph.Status == GeometryStatus.Ok && graph.K < k
            ? GeometryStatus.TooFewPoints
            : graph.Status;
        return status == GeometryStatus.Ok
            ? null
            : new NeighborhoodOverlap { Status = status, Points = graph.Count, K = k };
    }

    private static NeighborhoodOverlap Result(int points, int k, double overlap, double chance) =>
        points < 3
            ? new() { Status = GeometryStatus.TooFewPoints, Points = points, K = k }
            : new() { Status = GeometryStatus.Ok, Points = points, K = k, Overlap = overlap, Chance = chance };
}
