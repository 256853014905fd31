using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>
/// Exact Euclidean nearest neighbors of all points among themselves, N² · D multiply-adds. Points are centered; scores
/// <c>|b|² − 2a·b</c> pick a few more candidates than asked for; those are measured again as Σ(a − b)² and sorted.
/// Where the rounding of the scores could have hidden a neighbor, the whole row is measured again.
/// </summary>
public static class NearestNeighbors
{
    private const int QueryBlock = 32;
    private const int Spare = 8;

    /// <summary>Bytes that a search takes, with what it finds.</summary>
    internal static double Bytes(int n, int d, int k) => 8.0 * n * (d + QueryBlock) + (double)n * Math.Min(k, n) * (sizeof(double) + sizeof(int));

    /// <summary>
    /// Finds the neighbors. Equal rows count once: the first stays. Needs 3 distinct points; all rows equal is
    /// ZeroVariance, any NaN or infinity NotFinite. Ties go to the lower row number.
    /// </summary>
    /// <param name="points"><c>[N, D]</c>, row-major.</param>
    /// <param name="n">N.</param>
    /// <param name="d">D.</param>
    /// <param name="k">Neighbors wanted, at least 1; cut to the number of other distinct points.</param>
    public static NeighborGraph Search(ReadOnlySpan<float> points, int n, int d, int k)
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
        Fill(points, d, rows, k, neighbors, distances);
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
        List<(double Square, int Row)> exact = new(k);
        for (int i = 0; i < n; i++)
        {
            double square = SquaredDistance(x, points.Slice(i * d, d));
            if (square < heap.Threshold && !(others && square == 0))
            {
                heap.Push(square, i);
            }
        }

        foreach (int row in heap.Items)
        {
            exact.Add((SquaredDistance(x, points.Slice(row * d, d)), row));
        }

        exact.Sort();
        return [.. exact.Select(e => e.Row)];
    }

    private static void Fill(
        ReadOnlySpan<float> points, int d, int[] rows, int k, Span<int> neighbors, Span<double> distances)
    {
        int count = rows.Length;
        int padded = GramTile.Pad(count);
        double[] norms = new double[padded];
        double[] panels = ArrayPool<double>.Shared.Rent(checked(padded * d)), scores = ArrayPool<double>.Shared.Rent(QueryBlock * padded);
        FillPanels(points, d, rows, norms, panels);
        CandidateHeap heap = new(Math.Min(k + Spare, count - 1));
        List<(double Square, int Row)> exact = new(count);

        for (int first = 0; first < count; first += QueryBlock)
        {
            int queries = Math.Min(QueryBlock, count - first);
            Dots(panels, d, first, GramTile.Pad(queries), padded, scores);
            for (int q = 0; q < queries; q++)
            {
                int i = first + q;
                Span<double> line = scores.AsSpan(q * padded, count);
                TensorPrimitives.MultiplyAdd(line, -2, norms.AsSpan(0, count), line);
                line[i] = double.PositiveInfinity;
                Select(line, heap);

                exact.Clear();
                Measure(points, d, rows, rows[i], heap.Items, exact);
                double complete = heap.Items.Length == count - 1
                    ? double.PositiveInfinity
                    : SafeRadius(heap.Threshold, norms[i], d);
                if (!(exact[k - 1].Square < complete))
                {
                    double radius = exact[k - 1].Square;
                    exact.Clear();
                    MeasureWithin(radius, points, d, rows, i, exact);
                }

                for (int j = 0; j < k; j++)
                {
                    neighbors[(i * k) + j] = exact[j].Row;
                    distances[(i * k) + j] = Math.Sqrt(exact[j].Square);
                }
            }
        }

        ArrayPool<double>.Shared.Return(panels);
        ArrayPool<double>.Shared.Return(scores);
    }

    // Squared distance below which no point outside the candidates can lie. A score carries an error of at most about
    // γ(|a|² + |b|²) with γ = (D + 4)·2⁻⁵², and |b|² ≤ 2|a|² + 2r², so an outsider at distance r has
    // threshold ≤ r² − |a|² + γ(3|a|² + 2r²).
    private static double SafeRadius(double threshold, double norm, int d)
    {
        double gamma = (d + 4) * 2.3e-16;
        return (threshold + norm - (3 * gamma * norm)) / (1 + (2 * gamma));
    }

    // Columns of eight points side by side, centered; there are zeros beyond the last point.
    private static void FillPanels(ReadOnlySpan<float> points, int d, int[] rows, Span<double> norms, double[] panels)
    {
        double[] mean = new double[d];
        double[] row = new double[d];
        foreach (int r in rows)
        {
            TensorPrimitives.ConvertChecked<float, double>(points.Slice(r * d, d), row);
            TensorPrimitives.Add<double>(mean, row, mean);
        }

        TensorPrimitives.Divide(mean, rows.Length, mean);
        panels.AsSpan(rows.Length / GramTile.Width * GramTile.Width * d).Clear();
        for (int i = 0; i < rows.Length; i++)
        {
            TensorPrimitives.ConvertChecked<float, double>(points.Slice(rows[i] * d, d), row);
            TensorPrimitives.Subtract<double>(row, mean, row);
            norms[i] = TensorPrimitives.SumOfSquares<double>(row);
            Span<double> panel = panels.AsSpan(i / GramTile.Width * GramTile.Width * d);
            for (int c = 0, at = i % GramTile.Width; c < d; c++, at += GramTile.Width)
            {
                panel[at] = row[c];
            }
        }
    }

    private static void Dots(double[] panels, int d, int first, int queries, int padded, double[] scores)
    {
        scores.AsSpan(0, queries * padded).Clear();
        int length = GramTile.Width * d;
        for (int j = 0; j < padded; j += GramTile.Width)
        {
            ReadOnlySpan<double> b = panels.AsSpan(j * d, length);
            for (int q = 0; q < queries; q += GramTile.Width)
            {
                GramTile.Add(panels.AsSpan((first + q) * d, length), b, scores.AsSpan((q * padded) + j), padded);
            }
        }
    }

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
            exact.Add((SquaredDistance(a, points.Slice(rows[j] * d, d)), rows[j]));
        }

        exact.Sort();
    }

    private static void MeasureWithin(
        double radius, ReadOnlySpan<float> points, int d, int[] rows, int i, List<(double, int)> exact)
    {
        ReadOnlySpan<float> a = points.Slice(rows[i] * d, d);
        for (int j = 0; j < rows.Length; j++)
        {
            double square = SquaredDistance(a, points.Slice(rows[j] * d, d));
            if (j != i && square <= radius)
            {
                exact.Add((square, rows[j]));
            }
        }

        exact.Sort();
    }

    /// <summary>Σ(a − b)² in double precision; exactly symmetric in its arguments.</summary>
    internal static double SquaredDistance(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        ReadOnlySpan<Vector256<float>> va = MemoryMarshal.Cast<float, Vector256<float>>(a);
        ReadOnlySpan<Vector256<float>> vb = MemoryMarshal.Cast<float, Vector256<float>>(b)[..va.Length];
        Vector256<double> low = default;
        Vector256<double> high = default;
        for (int i = 0; i < va.Length; i++)
        {
            (Vector256<double> a0, Vector256<double> a1) = Vector256.Widen(va[i]);
            (Vector256<double> b0, Vector256<double> b1) = Vector256.Widen(vb[i]);
            a0 -= b0;
            a1 -= b1;
            low = Vector256.MultiplyAddEstimate(a0, a0, low);
            high = Vector256.MultiplyAddEstimate(a1, a1, high);
        }

        double sum = Vector256.Sum(low + high);
        for (int i = va.Length * Vector256<float>.Count; i < a.Length; i++)
        {
            double difference = (double)a[i] - b[i];
            sum += difference * difference;
        }

        return sum;
    }
}
