using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// Exact Euclidean nearest neighbors of all points among themselves, N² · D multiply-adds. Points are centered; scores
/// <c>|b|² − 2a·b</c>, by the engine's matrix product where there is one, pick a few more candidates than asked for; those are measured again as Σ(a − b)² and sorted.
/// Where the rounding of the scores could have hidden a neighbor, all that it could have hidden are measured again.
/// </summary>
public static class NearestNeighbors
{
    private const int Spare = 8;

    // Of a block, in numbers of double precision.
    private const int MostQueries = 256;

    /// <summary>Bytes that a search takes, with what it finds.</summary>
    internal static double Bytes(int n, int d, int k) => 8.0 * n * (2.0 * d + MostQueries) + (double)n * Math.Min(k, n) * (sizeof(double) + sizeof(int));

    /// <summary>
    /// Finds the neighbors. Equal rows count once: the first stays. Needs 3 distinct points; all rows equal is
    /// ZeroVariance, any NaN or infinity NotFinite. Ties go to the lower row number.
    /// </summary>
    /// <param name="points"><c>[N, D]</c>, row-major.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="k">Neighbors wanted, at least 1; cut to the number of other distinct points.</param>
    /// <param name="backend">Makes the scores, in single precision; null for double precision on this thread. What is found is the same.</param>
    public static NeighborGraph Search(ReadOnlySpan<float> points, int n, int d, int k, Backend? backend = null)
    {
        RowGuard.Shape(points, n, d);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        if (!RowGuard.AllFinite(points))
        {
            return NeighborGraph.Undefined(GeometryStatus.NotFinite, n, []);
        }

        int[] rows = DistinctRows.Find(points, n, d);
        if (rows.Length < 3)
        {
            bool constant = n >= 3 && rows.Length == 1;
            return NeighborGraph.Undefined(
                constant ? GeometryStatus.ZeroVariance : GeometryStatus.TooFewPoints, n, rows);
        }

        k = Math.Min(k, rows.Length - 1);
        int[] neighbors = new int[rows.Length * k];
        double[] distances = new double[rows.Length * k];
        Fill(points, d, rows, k, backend, neighbors, distances);
        return new NeighborGraph(GeometryStatus.Ok, n, k, rows, neighbors, distances);
    }

    /// <summary>Rows of a cloud that are nearest to one point, nearest first, ties by row number: N · D multiply-adds, where few points are asked for.</summary>
    /// <param name="x">[D], finite.</param>
    /// <param name="points"><c>[N, D]</c>, finite.</param>
    /// <param name="d">D.</param>
    /// <param name="k">Neighbors wanted; fewer where there are not as many.</param>
    /// <param name="others">Leave out rows that equal the point.</param>
    public static int[] Of(ReadOnlySpan<float> x, ReadOnlySpan<float> points, int d, int k, bool others = false)
    {
        int n = points.Length / d;
        RowGuard.Shape(points, n, d);
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 1);
        CandidateHeap heap = new(Math.Min(k, n));
        var squares = new double[n];
        for (int i = 0; i < n; i++)
        {
            double square = EuclideanDistance.Squared(x, points.Slice(i * d, d));
            squares[i] = others && square == 0 ? double.PositiveInfinity : square;
            if (squares[i] < heap.Threshold)
            {
                heap.Push(squares[i], i);
            }
        }

        // Which of several as far as the last one the heap holds depends on their order.
        return [.. Enumerable.Range(0, n).Where(i => squares[i] <= heap.Threshold && double.IsFinite(squares[i])).OrderBy(i => squares[i]).Take(k)];
    }

    private static void Fill(ReadOnlySpan<float> points, int d, int[] rows, int k, Backend? backend, Span<int> neighbors, Span<double> distances)
    {
        int count = rows.Length;
        using PointProducts products = PointProducts.Of(new CenteredPoints(points, d, rows), backend);
        double[] squares = products.Points.Squares;
        CandidateHeap heap = new(Math.Min(k + Spare, count - 1));
        List<(double Square, int Row)> exact = new(count);

        for (int first = 0; first < count; first += products.Block)
        {
            int queries = Math.Min(products.Block, count - first);
            products.Make(first, queries);
            for (int q = 0; q < queries; q++)
            {
                int i = first + q;
                Span<double> line = products.Row(q);
                TensorPrimitives.MultiplyAdd(line, -2, squares, line);
                line[i] = double.PositiveInfinity;
                Select(line, heap);

                exact.Clear();
                Measure(points, d, rows, rows[i], heap.Items, exact);
                double complete = heap.Items.Length == count - 1
                    ? double.PositiveInfinity
                    : SafeRadius(heap.Threshold, squares[i], products);
                if (!(exact[k - 1].Square < complete))
                {
                    double radius = exact[k - 1].Square;
                    exact.Clear();
                    MeasureWithin(radius, points, d, rows, i, line, products, exact);
                }

                for (int j = 0; j < k; j++)
                {
                    neighbors[(i * k) + j] = exact[j].Row;
                    distances[(i * k) + j] = Math.Sqrt(exact[j].Square);
                }
            }
        }
    }

    // Squared distance below which no point outside the candidates can lie. A score carries an error of at most about
    // γ(|a|² + |b|²), and |b|² ≤ 2|a|² + 2r², so an outsider at distance r has
    // threshold ≤ r² − |a|² + γ(3|a|² + 2r²).
    private static double SafeRadius(double threshold, double square, PointProducts products)
        => (threshold + square - (3 * products.Rounding * square) - products.Slack) / (1 + (2 * products.Rounding));

    private static void Select(ReadOnlySpan<double> scores, CandidateHeap heap)
    {
        heap.Clear();
        double threshold = heap.Threshold;
        for (int j = 0; j < scores.Length; j++)
        {
            if (scores[j] < threshold)
            {
                heap.Push(scores[j], j);
                threshold = heap.Threshold;
            }
        }
    }

    private static void Measure(
        ReadOnlySpan<float> points, int d, int[] rows, int from, ReadOnlySpan<int> candidates, List<(double, int)> exact)
    {
        ReadOnlySpan<float> a = points.Slice(from * d, d);
        foreach (int j in candidates)
        {
            exact.Add((EuclideanDistance.Squared(a, points.Slice(rows[j] * d, d)), rows[j]));
        }

        exact.Sort();
    }

    private static void MeasureWithin(
        double radius, ReadOnlySpan<float> points, int d, int[] rows, int i, ReadOnlySpan<double> scores, PointProducts products, List<(double, int)> exact)
    {
        ReadOnlySpan<float> a = points.Slice(rows[i] * d, d);
        double[] squares = products.Points.Squares;
        for (int j = 0; j < rows.Length; j++)
        {
            // That of the point itself is infinite.
            double least = scores[j] + squares[i] - (products.Rounding * (squares[i] + squares[j])) - products.Slack;
            if (least <= radius && EuclideanDistance.Squared(a, points.Slice(rows[j] * d, d)) is var square && square <= radius)
            {
                exact.Add((square, rows[j]));
            }
        }

        exact.Sort();
    }
}
