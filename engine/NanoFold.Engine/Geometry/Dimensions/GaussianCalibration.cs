using System.Buffers;
using System.Collections.Concurrent;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// What an estimator says on isotropic Gaussians of known dimension with as many points as were measured, and which
/// Gaussian would give a measured figure. Nearest-neighbor estimators fall short in high dimensions, the more so the
/// fewer the points, so their figures mean little without this. Computed when first asked for and as far as asked for, then kept; the whole
/// table for N = 2000, D = 768 takes about two seconds. Safe to call from several threads.
/// </summary>
public static class GaussianCalibration
{
    /// <summary>More points than this are calibrated with this many: the bias moves slowly with N, the cost with N².</summary>
    public const int MaxPoints = 2000;

    private const int SharedRank = 64;
    private const int LeastDraws = 2000;
    private const int MostRepeats = 16;

    private static readonly int[] s_dimensions = [1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 1000, 2000];
    private static readonly ConcurrentDictionary<Key, double?> s_estimates = new();

    /// <summary>The number of points used for a measurement of <paramref name="n"/>: two significant digits, at most <see cref="MaxPoints"/>.</summary>
    public static int PointsFor(int n)
    {
        int unit = 1;
        while (n / unit >= 100)
        {
            unit *= 10;
        }

        return Math.Min((int)Math.Round((double)n / unit) * unit, MaxPoints);
    }

    /// <summary>
    /// The estimate on a Gaussian, the mean over several draws where N is small; null when N is too small for the method.
    /// </summary>
    /// <param name="method">The estimator.</param>
    /// <param name="n">Points measured; see <see cref="PointsFor"/>.</param>
    /// <param name="dimension">The Gaussian's dimension, at least 1.</param>
    /// <param name="seed">Draws the Gaussian.</param>
    public static double? Reference(DimensionMethod method, int n, int dimension, ulong seed = 1)
    {
        ArgumentNullException.ThrowIfNull(method);
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        Key key = new(method, PointsFor(n), dimension, seed);
        if (!s_estimates.TryGetValue(key, out double? estimate))
        {
            estimate = Measure(key);
        }

        return estimate;
    }

    /// <summary>The estimates for Gaussian dimensions 1, 2, 5, 10, 20, 50 … below D, and D itself.</summary>
    /// <param name="method">The estimator.</param>
    /// <param name="n">Points measured.</param>
    /// <param name="width">D, the dimension of the space that was measured.</param>
    /// <param name="seed">Draws the Gaussians.</param>
    /// <param name="upTo">The first dimension of at least this estimate is the last one: those after it cost most.</param>
    public static CalibrationCurve Curve(DimensionMethod method, int n, int width, ulong seed = 1, double upTo = double.PositiveInfinity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        List<int> dimensions = [];
        List<double> estimates = [];
        foreach (int dimension in (int[])[.. s_dimensions.Where(x => x < width), width])
        {
            if (Reference(method, n, dimension, seed) is { } estimate)
            {
                dimensions.Add(dimension);
                estimates.Add(estimate);
                if (estimate >= upTo)
                {
                    break;
                }
            }
        }

        return new CalibrationCurve(method, PointsFor(n), seed, dimensions, estimates);
    }

    /// <summary>Says which Gaussian dimension would have given <paramref name="measured"/>.</summary>
    /// <param name="measured">An estimate, with or without a figure.</param>
    /// <param name="width">D, the dimension of the space that was measured.</param>
    /// <param name="seed">Draws the Gaussians.</param>
    public static CalibratedDimension Calibrate(DimensionEstimate measured, int width, ulong seed = 1)
    {
        ArgumentNullException.ThrowIfNull(measured);
        if (measured.Dimension is not { } figure)
        {
            return new CalibratedDimension { Measured = measured, Status = measured.Status, Seed = seed };
        }

        CalibrationCurve curve = Curve(measured.Method, measured.Points, width, seed, figure);
        (double? dimension, CalibrationRange range) = curve.Invert(figure);
        return new CalibratedDimension
        {
            Measured = measured,
            Status = dimension is null ? GeometryStatus.TooFewPoints : GeometryStatus.Ok,
            Seed = seed,
            GaussianDimension = dimension,
            Range = range,
            GaussianPoints = curve.Points,
        };
    }

    // One neighbor search serves every usual method, so all of them are kept.
    private static double? Measure(Key wanted)
    {
        HashSet<DimensionMethod> methods =
        [
            wanted.Method,
            DimensionMethod.TwoNNFit(),
            DimensionMethod.TwoNNMaximumLikelihood(),
            DimensionMethod.LevinaBickel(),
            .. Enumerable.Range(1, 6).Select(power => DimensionMethod.Gride(1 << power)),
        ];
        int n = wanted.Points;
        int d = wanted.Dimension;
        int k = Math.Max(SharedRank, wanted.Method.Rank);
        int repeats = Math.Clamp(LeastDraws / Math.Max(n, 1), 1, MostRepeats);
        float[] rented = ArrayPool<float>.Shared.Rent(Math.Max(1, n * d));
        Span<float> points = rented.AsSpan(0, n * d);
        Dictionary<DimensionMethod, (double Sum, int Count)> totals = methods.ToDictionary(m => m, _ => (0.0, 0));
        for (int repeat = 0; repeat < repeats; repeat++)
        {
            ulong stream = ((ulong)d << 8) + (ulong)repeat;
            new GaussianSource(GaussianSource.Mix(wanted.Seed, stream)).FillNormal(points);
            NeighborGraph graph = NearestNeighbors.Search(points, n, d, k);
            foreach (DimensionMethod method in methods)
            {
                if (method.Estimate(graph, points, d).Dimension is { } dimension)
                {
                    (double sum, int count) = totals[method];
                    totals[method] = (sum + dimension, count + 1);
                }
            }
        }

        ArrayPool<float>.Shared.Return(rented);
        foreach ((DimensionMethod method, (double sum, int count)) in totals)
        {
            s_estimates[wanted with { Method = method }] = count > 0 ? sum / count : null;
        }

        return s_estimates[wanted];
    }

    private readonly record struct Key(DimensionMethod Method, int Points, int Dimension, ulong Seed);
}
