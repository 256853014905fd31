using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// The plane that fits a few points best: through their mean, along the first principal directions of their span. Of a point and its q nearest neighbors it is
/// all of their span, of dimension q.
/// </summary>
public sealed class TangentPlane
{
    // Below this share of the largest eigenvalue there is only rounding.
    private const double LeastShare = 1e-12;

    private readonly double[] _mean;
    private readonly double[] _basis; // [rank, D], orthonormal

    private TangentPlane(double[] mean, double[] basis, int rank, double spread) => (_mean, _basis, Rank, Spread) = (mean, basis, rank, spread);

    /// <summary>Its dimension q.</summary>
    public int Rank { get; }

    /// <summary>Root mean square distance of the points to their mean.</summary>
    public double Spread { get; }

    /// <summary>Fits a plane to rows of a cloud.</summary>
    /// <param name="points"><c>[N, D]</c>, finite.</param>
    /// <param name="d">D.</param>
    /// <param name="rows">The rows that it goes along, k of them, at least 2.</param>
    /// <param name="rank">The most directions to take, of the k − 1 that there are.</param>
    public static TangentPlane Of(ReadOnlySpan<float> points, int d, ReadOnlySpan<int> rows, int rank)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows.Length, 2);
        int k = rows.Length;
        var centered = new CenteredPoints(points, d, rows);

        // Directions of k rows from their k × k products: k is far below D.
        (double[] values, double[] vectors) = SymmetricEigenvectors.Of(RowProducts.Of(centered.Values, k, d), k);
        int kept = values.Take(Math.Min(rank, k - 1)).Count(value => value > LeastShare * values[0] && value > 0);
        var basis = new double[kept * d];
        for (int r = 0; r < kept; r++)
        {
            Span<double> direction = basis.AsSpan(r * d, d);
            for (int i = 0; i < k; i++)
            {
                TensorPrimitives.MultiplyAdd(centered.Row(i), vectors[(r * k) + i], direction, direction);
            }
        }

        GramSchmidt.Orthonormalize(basis, d);
        return new TangentPlane(centered.Mean, basis, kept, Math.Sqrt(TensorPrimitives.SumOfSquares(centered.Values) / k));
    }

    /// <summary>A random plane of a dimension through 0: of any direction, a share of 1 − q/D is normal to it on average.</summary>
    internal static TangentPlane Random(int d, int rank, GaussianSource random)
    {
        rank = Math.Min(rank, d);
        var basis = new double[rank * d];
        foreach (ref double value in basis.AsSpan())
        {
            value = random.NextNormal();
        }

        GramSchmidt.Orthonormalize(basis, d);
        return new TangentPlane(new double[d], basis, rank, 0);
    }

    /// <summary>‖(I − UUᵀ)Δ‖²/‖Δ‖², the share of a step that leaves the plane; null where Δ is 0.</summary>
    public double? NormalShare(ReadOnlySpan<float> delta)
    {
        var step = new double[delta.Length];
        TensorPrimitives.ConvertChecked(delta, step.AsSpan());
        double all = TensorPrimitives.SumOfSquares<double>(step);
        return all > 0 ? Math.Clamp(SquaredNormal(step) / all, 0, 1) : null;
    }

    /// <summary>The distance of a point from the plane, ‖(I − UUᵀ)(x − mean)‖.</summary>
    public double Distance(ReadOnlySpan<float> x)
    {
        var step = new double[x.Length];
        TensorPrimitives.ConvertChecked(x, step.AsSpan());
        TensorPrimitives.Subtract(step, _mean, step);
        return Math.Sqrt(SquaredNormal(step));
    }

    // What is left after all directions are taken off, rather than a difference of squares, which loses small distances.
    private double SquaredNormal(double[] step)
    {
        for (int r = 0; r < Rank; r++)
        {
            ReadOnlySpan<double> direction = _basis.AsSpan(r * step.Length, step.Length);
            TensorPrimitives.MultiplyAdd(direction, -TensorPrimitives.Dot(direction, step), step, step);
        }

        return TensorPrimitives.SumOfSquares<double>(step);
    }
}
