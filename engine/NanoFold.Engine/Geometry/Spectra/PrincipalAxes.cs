using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// The first principal axes of rows <c>[N, D]</c>, centered, and the rows' coordinates in them: one basis for all, so that ways through it can be laid beside each
/// other. By simultaneous iteration on the covariance (Rutishauser 1969); the sign of an axis makes its largest element positive.
/// </summary>
public sealed class PrincipalAxes
{
    private const int Rounds = 100, Spare = 4;

    // Values change by the square of what axes do.
    private const double Converged = 1e-14;

    private readonly double[] _axes;
    private readonly double[] _mean;

    private PrincipalAxes(GeometryStatus status, double[] axes, double[] mean, double[] shares) => (Status, _axes, _mean, Shares) = (status, axes, mean, shares);

    /// <summary>Why there are none, where there are none.</summary>
    public GeometryStatus Status { get; }

    /// <summary>The share of the variance along each axis, largest first.</summary>
    public IReadOnlyList<double> Shares { get; }

    /// <summary>Axis <paramref name="k"/>, a unit vector <c>[D]</c>.</summary>
    public ReadOnlySpan<double> Axis(int k) => _axes.AsSpan(k * _mean.Length, _mean.Length);

    /// <summary>Finds the first axes.</summary>
    /// <param name="rows"><c>[N, D]</c>.</param>
    /// <param name="n">N.</param>
    /// <param name="axes">How many at most; fewer where D is less.</param>
    public static PrincipalAxes Of(ReadOnlySpan<float> rows, int n, int axes)
    {
        int d = n > 0 ? rows.Length / n : 0;
        RowGuard.Shape(rows, n, d);
        var moments = new StreamingMoments(d);
        moments.Add(rows, n);
        if (moments.Status != GeometryStatus.Ok)
        {
            return new PrincipalAxes(moments.Status, [], new double[d], []);
        }

        double[] covariance = moments.Covariance();
        double total = 0;
        for (int i = 0; i < d; i++)
        {
            total += covariance[(i * d) + i];
        }

        // Some more than wanted: the iteration converges by the gap after the last one.
        int count = Math.Min(axes, d), held = Math.Min(count + Spare, d);
        double[] basis = new double[held * d], next = new double[held * d];
        var random = new GaussianSource(1);
        for (int i = 0; i < basis.Length; i++)
        {
            basis[i] = random.NextNormal();
        }

        double[] values = new double[held];
        for (int round = 0; ; round++)
        {
            GramSchmidt.Orthonormalize(basis, d);
            bool isConverged = true;
            for (int k = 0; k < held; k++)
            {
                for (int i = 0; i < d; i++)
                {
                    next[(k * d) + i] = TensorPrimitives.Dot<double>(covariance.AsSpan(i * d, d), basis.AsSpan(k * d, d));
                }

                double value = TensorPrimitives.Dot<double>(basis.AsSpan(k * d, d), next.AsSpan(k * d, d));
                isConverged &= k >= count || Math.Abs(value - values[k]) <= Converged * total;
                values[k] = value;
            }

            if (isConverged || round == Rounds)
            {
                break;
            }

            (basis, next) = (next, basis);
        }

        values = Rotate(basis, next, held, d);
        for (int k = 0; k < count; k++)
        {
            Span<double> axis = basis.AsSpan(k * d, d);
            if (axis[TensorPrimitives.IndexOfMaxMagnitude<double>(axis)] < 0)
            {
                TensorPrimitives.Negate(axis, axis);
            }
        }

        return new PrincipalAxes(GeometryStatus.Ok, basis[..(count * d)], moments.Mean.ToArray(), [.. values.Take(count).Select(value => Math.Max(0, value) / total)]);
    }

    /// <summary>Coordinates of rows, of these or others <c>[N, D]</c>, in the basis: <c>[N, axes]</c>.</summary>
    public float[] Coordinates(ReadOnlySpan<float> rows)
    {
        int d = _mean.Length, n = rows.Length / d, axes = Shares.Count;
        float[] coordinates = new float[n * axes];
        double[] row = new double[d];
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.ConvertChecked(rows.Slice(i * d, d), row.AsSpan());
            TensorPrimitives.Subtract<double>(row, _mean, row);
            for (int k = 0; k < axes; k++)
            {
                coordinates[(i * axes) + k] = (float)TensorPrimitives.Dot<double>(row, Axis(k));
            }
        }

        return coordinates;
    }

    // Within the span that was found, the axes are the eigenvectors of the covariance there.
    private static double[] Rotate(double[] basis, double[] products, int count, int d)
    {
        double[] form = new double[count * count], turned = new double[basis.Length];
        for (int i = 0; i < count; i++)
        {
            for (int j = 0; j < count; j++)
            {
                form[(i * count) + j] = TensorPrimitives.Dot<double>(basis.AsSpan(i * d, d), products.AsSpan(j * d, d));
            }
        }

        (double[] values, double[] vectors) = SymmetricEigenvectors.Of(form, count);
        for (int k = 0; k < count; k++)
        {
            Span<double> axis = turned.AsSpan(k * d, d);
            for (int i = 0; i < count; i++)
            {
                TensorPrimitives.MultiplyAdd(basis.AsSpan(i * d, d), vectors[(k * count) + i], axis, axis);
            }
        }

        turned.CopyTo(basis, 0);
        return values;
    }
}
