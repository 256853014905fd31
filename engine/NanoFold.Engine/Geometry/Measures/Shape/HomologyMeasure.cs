using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Geometry.Topology;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Components and loops of the cloud: persistent homology of the Vietoris–Rips complex of landmarks, each the farthest from those before. The numbers are of
/// what stands out at any scale; the array <c>loops</c> has all intervals, <c>joins</c> the lengths at which components join.
/// </summary>
public sealed record HomologyMeasure : PointMeasure
{
    /// <summary>Landmarks; triangles grow with their cube.</summary>
    [Bounds(4, RipsHomology.MostPoints)]
    public int Landmarks { get; init; } = 100;

    /// <summary>A component counts where it joins the others at more than so many times the median join.</summary>
    [Bounds(1, 1000)]
    public double Gap { get; init; } = 3;

    /// <summary>A loop counts where it is filled at more than so many times the length at which it appears.</summary>
    [Bounds(1, 1000)]
    public double Persistence { get; init; } = 2;

    /// <inheritdoc/>
    public override string Legend => "β₀, β₁ = components and loops of landmarks that stand out; persistence = of the loop of the largest, filled at ÷ appears at";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("betti0", "β₀", "0"), new("betti1", "β₁", "0"), new("mostPersistence", "persistence", "0.00")];

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => ((double)Landmarks * shape.Neighbors * width) + (100.0 * Landmarks * Landmarks * Landmarks);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        string estimator = FormattableString.Invariant($"Vietoris–Rips, farthest-point landmarks, gap {Gap}, persistence {Persistence}, position 0 out");
        if (!RowGuard.AllFinite(cloud.NeighborValues) || cloud.NeighborCount < 1)
        {
            figures.Add("betti0", null, cloud.NeighborCount < 1 ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite, estimator, cloud.NeighborCount);
            return;
        }

        int[] rows = Topology.Landmarks.Farthest(cloud.NeighborValues, cloud.NeighborCount, cloud.Width, Landmarks);
        RipsHomology homology = RipsHomology.Of(PairDistances.Of(RowGather.Of(cloud.NeighborValues, cloud.Width, rows), rows.Length, cloud.Width));
        void Add(string name, double? value) => figures.Add(name, value, homology.Status, estimator, rows.Length);
        bool isThere = homology.Status == GeometryStatus.Ok;
        Add("betti0", isThere ? homology.Betti0(Gap) : null);
        Add("betti1", isThere ? homology.Betti1(Persistence) : null);
        Add("loops", isThere ? homology.Loops.Count : null);
        Add("mostPersistence", isThere ? homology.Loops.Select(loop => loop.Death / loop.Birth).DefaultIfEmpty(1).Max() : null);
        figures.Array("landmarks", [rows.Length], rows);
        figures.Array("joins", [homology.Joins.Count], [.. homology.Joins]);
        figures.Array("loops", [homology.Loops.Count, 2], [.. homology.Loops.SelectMany(loop => new[] { loop.Birth, loop.Death })]);
    }
}
