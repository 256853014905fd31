using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Labels;

/// <summary>
/// How far apart one word lies in two sets of contexts: the distance between the means of both clouds over the spread within them, √((v₁ + v₂)/2) with v the mean squared distance to
/// the own mean. Beside it stands the same of the contexts shuffled, which is above 0 because means of few points differ by chance.
/// </summary>
public sealed record ContextSeparation
{
    private const int Shufflings = 20;

    /// <summary>TooFewPoints with fewer than two contexts of a kind, ZeroVariance where nothing spreads, NotFinite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>‖μ₁ − μ₂‖.</summary>
    public double? Distance { get; init; }

    /// <summary>√((v₁ + v₂)/2).</summary>
    public double? Spread { get; init; }

    /// <summary>Distance ÷ spread.</summary>
    public double? Ratio { get; init; }

    /// <summary>Mean of the same over shuffled contexts.</summary>
    public double? RatioByChance { get; init; }

    /// <summary>Share of contexts that are nearer to the mean of the others of their kind than to that of the other kind.</summary>
    public double? NearestMean { get; init; }

    /// <summary>Compares two clouds.</summary>
    /// <param name="first"><c>[N₁, D]</c>.</param>
    /// <param name="second"><c>[N₂, D]</c>.</param>
    /// <param name="d">D.</param>
    /// <param name="seed">Of the shuffling.</param>
    public static ContextSeparation Measure(ReadOnlySpan<float> first, ReadOnlySpan<float> second, int d, ulong seed)
    {
        int n1 = first.Length / d, n2 = second.Length / d;
        RowGuard.Shape(first, n1, d);
        RowGuard.Shape(second, n2, d);
        if (n1 < 2 || n2 < 2 || !RowGuard.AllFinite(first) || !RowGuard.AllFinite(second))
        {
            return new ContextSeparation { Status = n1 < 2 || n2 < 2 ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite };
        }

        var rows = new double[(n1 + n2) * d];
        TensorPrimitives.ConvertChecked(first, rows.AsSpan(0, first.Length));
        TensorPrimitives.ConvertChecked(second, rows.AsSpan(first.Length));
        bool[] isSecond = [.. Enumerable.Range(0, n1 + n2).Select(i => i >= n1)];
        (double distance, double spread, double nearest) = Of(rows, d, isSecond);
        if (!(spread > 0))
        {
            return new ContextSeparation { Status = GeometryStatus.ZeroVariance, Distance = distance };
        }

        double chance = 0;
        var random = new GaussianSource(seed);
        for (int round = 0; round < Shufflings; round++)
        {
            random.Shuffle<bool>(isSecond);
            (double apart, double within, _) = Of(rows, d, isSecond);
            chance += apart / within / Shufflings;
        }

        return new ContextSeparation { Status = GeometryStatus.Ok, Distance = distance, Spread = spread, Ratio = distance / spread, RatioByChance = chance, NearestMean = nearest };
    }

    private static (double Distance, double Spread, double Nearest) Of(double[] rows, int d, bool[] isSecond)
    {
        int[] classes = [.. isSecond.Select(second => second ? 1 : 0)];
        ClassMeans means = ClassMeans.Of(rows, d, classes, 2, _ => true);
        double variance = 0;
        int nearer = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            int own = classes[i];
            double to = TensorPrimitives.Distance<double>(rows.AsSpan(i * d, d), means[own]);
            double other = TensorPrimitives.Distance<double>(rows.AsSpan(i * d, d), means[1 - own]);
            variance += to * to / means.Counts[own] / 2;

            // Its own mean without it is farther by n/(n − 1).
            nearer += to * means.Counts[own] / (means.Counts[own] - 1) < other ? 1 : 0;
        }

        return (TensorPrimitives.Distance<double>(means[0], means[1]), Math.Sqrt(variance), (double)nearer / classes.Length);
    }
}
