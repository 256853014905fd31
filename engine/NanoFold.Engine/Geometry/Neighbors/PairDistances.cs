using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// Euclidean distances between all pairs of points, Σ(a − b)² in double precision: equal rows are exactly 0 apart and no pair depends on where the cloud lies.
/// N²/2 · D multiply-adds and 4 N² bytes, so for some thousand points at most.
/// </summary>
public sealed class PairDistances
{
    private readonly double[] _values;

    private PairDistances(GeometryStatus status, int count, double[] values) => (Status, Count, _values) = (status, count, values);

    /// <summary>NotFinite where a value is not, TooFewPoints below two rows; then there are no distances.</summary>
    public GeometryStatus Status { get; }

    /// <summary>N.</summary>
    public int Count { get; }

    /// <summary>d(i, j) of i &lt; j, row by row: the upper triangle, [N(N − 1)/2].</summary>
    public ReadOnlySpan<double> Values => _values;

    /// <summary>d(i, j) of two different rows.</summary>
    public double this[int i, int j] => _values[i < j ? At(i, j) : At(j, i)];

    /// <summary>Bytes of the host for so many points.</summary>
    internal static double Bytes(double n) => sizeof(double) * n * (n - 1) / 2;

    /// <summary>Measures all pairs of rows.</summary>
    /// <param name="points"><c>[N, D]</c>, row-major.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    public static PairDistances Of(ReadOnlySpan<float> points, int n, int d)
    {
        RowGuard.Shape(points, n, d);
        if (n < 2 || !RowGuard.AllFinite(points))
        {
            return new PairDistances(n < 2 ? GeometryStatus.TooFewPoints : GeometryStatus.NotFinite, n, []);
        }

        var values = new double[checked((int)((long)n * (n - 1) / 2))];
        for (int i = 0, at = 0; i < n; i++)
        {
            ReadOnlySpan<float> row = points.Slice(i * d, d);
            for (int j = i + 1; j < n; j++)
            {
                values[at++] = Math.Sqrt(EuclideanDistance.Squared(row, points.Slice(j * d, d)));
            }
        }

        return new PairDistances(GeometryStatus.Ok, n, values);
    }

    /// <summary>Distances that were measured elsewhere.</summary>
    /// <param name="upper">The upper triangle, row by row, [N(N − 1)/2].</param>
    /// <param name="n">N.</param>
    public static PairDistances FromUpper(ReadOnlySpan<double> upper, int n) => upper.Length == (long)n * (n - 1) / 2 && n > 1
        ? new PairDistances(GeometryStatus.Ok, n, upper.ToArray())
        : throw new ArgumentException($"pair distances: {upper.Length} values are not the pairs of {n} points");

    private int At(int i, int j) => (int)((long)i * ((2L * Count) - i - 1) / 2) + j - i - 1;
}
