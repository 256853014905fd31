using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// Intrinsic dimension from the ratio of the distances to neighbors n₁ and n₂ = 2n₁ (Denti, Doimo, Laio and Mira 2022).
/// Growing ranks look at growing scales; noise of full dimension fades as they grow.
/// </summary>
public static class Gride
{
    private const double Least = 1e-3;
    private const double Most = 1e3;

    /// <summary>
    /// Solves <c>(N − 1)/d = Σ [(1 − n₂ + n₁)/(1 − μ^−d) + n₂ − 1]·ln μ</c> for d in [1e-3, 1e3] by bisection.
    /// The standard error is 1/√I with <c>I = N/d² + (n₂ − n₁ − 1)·Σ (ln μ)²·μ^−d/(1 − μ^−d)²</c>.
    /// Degenerate when there is no root in that range.
    /// </summary>
    /// <param name="graph">Holds at least <paramref name="rank"/> neighbors.</param>
    /// <param name="rank">n₂, even.</param>
    public static DimensionEstimate Estimate(NeighborGraph graph, int rank)
    {
        DimensionMethod method = DimensionMethod.Gride(rank);
        if (method.Reject(graph) is { } undefined)
        {
            return undefined;
        }

        double[] logs = new double[graph.Count];
        for (int i = 0; i < logs.Length; i++)
        {
            ReadOnlySpan<double> distances = graph.Distances(i);
            logs[i] = Math.Log(distances[rank - 1] / distances[(rank / 2) - 1]);
        }

        int inner = (rank / 2) - 1; // n₂ − n₁ − 1
        if (!Solve(logs, rank, inner, out double d))
        {
            return method.Undefined(GeometryStatus.Degenerate, graph.Count, graph.DuplicatesDropped);
        }

        double information = logs.Length / (d * d);
        foreach (double log in logs)
        {
            information += inner * Curvature(log, d);
        }

        return new DimensionEstimate
        {
            Method = method,
            Status = GeometryStatus.Ok,
            Dimension = d,
            StandardError = 1 / Math.Sqrt(information),
            Points = graph.Count,
            DuplicatesDropped = graph.DuplicatesDropped,
            MeanDistance = TwoNN.MeanDistance(graph, rank),
        };
    }

    /// <summary>Estimates at ranks 2, 4, 8 … up to <paramref name="maxRank"/>, as far as the graph's neighbors reach.</summary>
    public static IReadOnlyList<DimensionEstimate> ScaleScan(NeighborGraph graph, int maxRank = 64)
    {
        ArgumentNullException.ThrowIfNull(graph);
        List<DimensionEstimate> scan = [];
        for (int rank = 2; rank <= Math.Min(maxRank, graph.K); rank *= 2)
        {
            scan.Add(Estimate(graph, rank));
        }

        return scan;
    }

    private static bool Solve(double[] logs, int rank, int inner, out double d)
    {
        double low = Least;
        double high = Most;
        d = 0;
        if (!(Score(logs, rank, inner, low) > 0) || !(Score(logs, rank, inner, high) < 0))
        {
            return false;
        }

        // The score falls strictly with d; about 60 halvings reach the last bit.
        while (high - low > 1e-12 * high)
        {
            d = (low + high) / 2;
            if (Score(logs, rank, inner, d) > 0)
            {
                low = d;
            }
            else
            {
                high = d;
            }
        }

        d = (low + high) / 2;
        return true;
    }

    private static double Score(double[] logs, int rank, int inner, double d)
    {
        double sum = 0;
        foreach (double log in logs)
        {
            // ln μ/(1 − μ^−d) tends to 1/d as μ tends to 1.
            double quotient = log > 0 ? log / OneMinusExp(log * d) : 1 / d;
            sum += ((rank - 1) * log) - (inner * quotient);
        }

        return ((logs.Length - 1) / d) - sum;
    }

    private static double Curvature(double log, double d)
    {
        if (log == 0)
        {
            return 1 / (d * d);
        }

        double quotient = log / OneMinusExp(log * d);
        return quotient * quotient * Math.Exp(-log * d);
    }

    // 1 − e^−x by tanh, which .NET computes without the cancellation near 0: 1 − e^−x = 2t/(1 + t), t = tanh(x/2).
    private static double OneMinusExp(double x)
    {
        double t = Math.Tanh(x / 2);
        return 2 * t / (1 + t);
    }
}
