using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>Cheap figures over the rows of a layer, O(N·D), in double precision. Rows are not centered.</summary>
public static class RowStatistics
{
    /// <summary>
    /// Norms and mean cosine. The mean over pairs i ≠ j of ûᵢ·ûⱼ is (‖Σû‖² − N)/(N(N − 1)), exactly.
    /// </summary>
    /// <param name="x"><c>[N, D]</c>, rows at position 0 first.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="first">How many rows are at position 0.</param>
    public static PositionSplit<RowSummary> Rows(ReadOnlySpan<float> x, int n, int d, int first)
    {
        RowGuard.Shape(x, n, d);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)first, (uint)n, nameof(first));
        return new(Rows(x, n, d), Rows(x[(first * d)..], n - first, d));
    }

    /// <summary>Size and direction of an update Δ against what it is added to.</summary>
    /// <param name="x"><c>[N, D]</c>, before the update, rows at position 0 first.</param>
    /// <param name="delta"><c>[N, D]</c>.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="first">How many rows are at position 0.</param>
    public static PositionSplit<UpdateSummary> Updates(
        ReadOnlySpan<float> x, ReadOnlySpan<float> delta, int n, int d, int first)
    {
        RowGuard.Shape(x, n, d);
        RowGuard.Shape(delta, n, d);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)first, (uint)n, nameof(first));
        return new(Updates(x, delta, n, d), Updates(x[(first * d)..], delta[(first * d)..], n - first, d));
    }

    private static RowSummary Rows(ReadOnlySpan<float> x, int n, int d)
    {
        double[] row = new double[d];
        double[] directions = new double[d];
        int rows = 0;
        int zero = 0;
        double norms = 0;
        double largest = 0;
        for (int i = 0; i < n; i++)
        {
            rows++;
            double norm = Math.Sqrt(Load(x, i, row));
            norms += norm;
            largest = Math.Max(largest, norm);
            if (norm > 0)
            {
                TensorPrimitives.MultiplyAdd(row, 1 / norm, directions, directions);
            }
            else
            {
                zero++;
            }
        }

        if (rows == 0 || !double.IsFinite(norms))
        {
            return new RowSummary { Status = Missing(rows), Rows = rows };
        }

        double m = rows - zero;
        double squared = TensorPrimitives.SumOfSquares<double>(directions);
        return new RowSummary
        {
            Status = GeometryStatus.Ok,
            Rows = rows,
            ZeroRows = zero,
            MeanNorm = norms / rows,
            LargestNorm = largest,
            MeanCosine = m > 1 ? (squared - m) / (m * (m - 1)) : null,
        };
    }

    private static UpdateSummary Updates(ReadOnlySpan<float> x, ReadOnlySpan<float> delta, int n, int d)
    {
        double[] before = new double[d];
        double[] change = new double[d];
        int rows = 0;
        int measured = 0;
        int turned = 0;
        double share = 0;
        double cosine = 0;
        double growth = 0;
        bool finite = true;
        for (int i = 0; i < n; i++)
        {
            rows++;
            double xx = Load(x, i, before);
            double dd = Load(delta, i, change);
            finite &= double.IsFinite(xx + dd);
            if (xx == 0)
            {
                continue;
            }

            measured++;
            double xd = TensorPrimitives.Dot<double>(before, change);
            share += Math.Sqrt(dd / xx);
            growth += Math.Sqrt(Math.Max(0, 1 + (((2 * xd) + dd) / xx)));
            if (dd > 0)
            {
                turned++;
                cosine += xd / Math.Sqrt(xx) / Math.Sqrt(dd);
            }
        }

        if (measured == 0 || !finite)
        {
            return new UpdateSummary { Status = Missing(finite ? 0 : rows), Rows = rows, ZeroRows = rows - measured };
        }

        return new UpdateSummary
        {
            Status = GeometryStatus.Ok,
            Rows = rows,
            ZeroRows = rows - measured,
            Share = share / measured,
            Cosine = turned > 0 ? cosine / turned : null,
            NormGrowth = growth / measured,
        };
    }

    private static GeometryStatus Missing(int rows) =>
        rows == 0 ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite;

    // Squares of floats stay in range in double precision, so a result that is not finite means an input that is not.
    private static double Load(ReadOnlySpan<float> rows, int i, double[] row)
    {
        TensorPrimitives.ConvertChecked<float, double>(rows.Slice(i * row.Length, row.Length), row);
        return TensorPrimitives.SumOfSquares<double>(row);
    }
}

/// <summary>Norms and directions of a layer's rows. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record RowSummary
{
    /// <summary>TooFewPoints without any row, NotFinite when a row is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows that are all zero; they have no direction and stay out of <see cref="MeanCosine"/>.</summary>
    public int ZeroRows { get; init; }

    /// <summary>Mean of ‖x‖.</summary>
    public double? MeanNorm { get; init; }

    /// <summary>Largest ‖x‖.</summary>
    public double? LargestNorm { get; init; }

    /// <summary>Anisotropy: mean cosine over all pairs of different rows; null with fewer than two directions.</summary>
    public double? MeanCosine { get; init; }
}

/// <summary>What a block adds to its input, row by row. Figures are null when <see cref="Status"/> is not Ok.</summary>
public sealed record UpdateSummary
{
    /// <summary>TooFewPoints without a row whose x is not zero, NotFinite when a row is not finite.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N.</summary>
    public required int Rows { get; init; }

    /// <summary>Rows with x = 0, left out of every mean.</summary>
    public int ZeroRows { get; init; }

    /// <summary>Mean of ‖Δ‖/‖x‖.</summary>
    public double? Share { get; init; }

    /// <summary>Mean of cos(Δ, x) over rows with Δ ≠ 0; null when there is none.</summary>
    public double? Cosine { get; init; }

    /// <summary>Mean of ‖x + Δ‖/‖x‖.</summary>
    public double? NormGrowth { get; init; }
}
