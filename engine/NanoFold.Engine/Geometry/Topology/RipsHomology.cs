using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Topology;

/// <summary>
/// Persistent homology of the Vietoris–Rips complex in dimensions 0 and 1 over ℤ/2: at which length components join, and at which loops appear and are filled.
/// </summary>
public sealed record RipsHomology
{
    /// <summary>Points above which it takes long: triangles grow with N³.</summary>
    public const int MostPoints = 200;

    /// <summary>As of the distances.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required int Points { get; init; }

    /// <summary>H₀: lengths at which components join, ascending, [N − 1]; one component never does.</summary>
    public required IReadOnlyList<double> Joins { get; init; }

    /// <summary>H₁: loops, those of the longest interval first. All are filled in the end.</summary>
    public required IReadOnlyList<PersistentLoop> Loops { get; init; }

    /// <summary>Components that stand apart: 1 and the joins of more than <paramref name="gap"/> times the median join.</summary>
    public int Betti0(double gap) => Joins.Count == 0 ? Points : 1 + Joins.Count(join => join > gap * Joins[Joins.Count / 2]);

    /// <summary>Loops that are filled at more than <paramref name="ratio"/> times the length at which they appear.</summary>
    public int Betti1(double ratio) => Loops.Count(loop => loop.Death > ratio * loop.Birth);

    /// <summary>Measures all points of a set of distances.</summary>
    public static RipsHomology Of(PairDistances distances)
    {
        ArgumentNullException.ThrowIfNull(distances);
        if (distances.Status != GeometryStatus.Ok)
        {
            return new RipsHomology { Status = distances.Status, Points = distances.Count, Joins = [], Loops = [] };
        }

        var reduction = new RipsReduction(distances);
        return new RipsHomology { Status = GeometryStatus.Ok, Points = distances.Count, Joins = reduction.Joins(), Loops = reduction.Loops() };
    }
}

/// <summary>A loop from the length at which it appears to that at which triangles fill it.</summary>
public readonly record struct PersistentLoop(double Birth, double Death);
