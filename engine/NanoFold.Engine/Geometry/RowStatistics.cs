using System.Numerics.Tensors;

namespace NanoFold.Engine.Geometry;

/// <summary>Cheap figures over the rows of a layer, O(N·D), in double precision. Rows are not centred.</summary>
public static class RowStatistics
{
    /// <summary>
    /// Norms and mean cosine. The mean over pairs i ≠ j of ûᵢ·ûⱼ is (‖Σû‖² − N)/(N(N − 1)), exactly.
    /// </summary>
    /// <param name="x"><c>[N, D]</c>, whole sequences one after another.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="time">T, the length of a sequence: row i is at position i mod T. Pass N for a single sequence.</param>
    public static PositionSplit<RowSummary> Rows(ReadOnlySpan<float> x, int n, int d, int time)
    {
        RowGuard.Shape(x, n, d);
        ArgumentOutOfRangeException.ThrowIfLessThan(time, 1);
        return new(Rows(x, n, d, time, 0), Rows(x, n, d, time, 1));
    }

    /// <summary>Size and direction of an update Δ against what it is added to.</summary>
    /// <param name="x"><c>[N, D]</c>, before the update.</param>
    /// <param name="delta"><c>[N, D]</c>.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="time">T, the length of a sequence: row i is at position i mod T. Pass N for a single sequence.</param>
    public static PositionSplit<UpdateSummary> Updates(
        ReadOnlySpan<float> x, ReadOnlySpan<float> delta, int n, int d, int time)
    {
        RowGuard.Shape(x, n, d);
        RowGuard.Shape(delta, n, d);
        ArgumentOutOfRangeException.ThrowIfLessThan(time, 1);
        return new(Updates(x, delta, n, d, time, 0), Updates(x, delta, n, d, time, 1));
    }

    private static RowSummary Rows(ReadOnlySpan<float> x, int n, int d, int time, int least)
    {
        double[] row = new double[d];
        double[] directions = new double[d];
        int rows = 0;
        int zero = 0;
        double norms = 0;
        double largest = 0;
        for (int i = 0; i < n; i++)
        {
            if (i % time < least)
            {
                continue;
            }

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

    private static UpdateSummary Updates(
        ReadOnlySpan<float> x, ReadOnlySpan<float> delta, int n, int d, int time, int least)
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
            if (i % time < least)
            {
                continue;
            }

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
