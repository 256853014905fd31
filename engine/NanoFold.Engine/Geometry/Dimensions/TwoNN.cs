using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>
/// Intrinsic dimension from the two nearest neighbors (Facco, d'Errico, Rodriguez and Laio 2017):
/// μ = r₂/r₁ follows a Pareto law with exponent d. Blind to high dimensions: a Gaussian of dimension 300 reads
/// about 96 at N = 2000, so quote it with <see cref="GaussianCalibration"/>.
/// </summary>
public static class TwoNN
{
    /// <summary>The fraction of the largest ratios that the fit leaves out unless told otherwise.</summary>
    public const double DefaultDiscard = 0.1;

    /// <summary>μ = r₂/r₁ of every point, <c>[N]</c>; empty where the graph holds fewer than two neighbors.</summary>
    public static double[] Ratios(NeighborGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        double[] ratios = new double[graph.K < 2 ? 0 : graph.Count];
        for (int i = 0; i < ratios.Length; i++)
        {
            ratios[i] = graph.Distances(i)[1] / graph.Distances(i)[0];
        }

        return ratios;
    }

    /// <summary>
    /// Linear fit through the origin: x = ln μ ascending, y = −ln(1 − i/N) for i = 1 … ⌊(1 − f)N⌋, d = Σxy/Σx².
    /// </summary>
    /// <param name="ratios">μ, <c>[N]</c>, in any order, finite, each at least 1.</param>
    /// <param name="discard">f, 0 to below 1. The last point has no y, so at most N − 1 are used.</param>
    public static DimensionEstimate Fit(ReadOnlySpan<double> ratios, double discard = DefaultDiscard)
    {
        DimensionMethod method = DimensionMethod.TwoNNFit(discard);
        if (Logarithms(ratios, method, out double[] x) is { } undefined)
        {
            return undefined;
        }

        Array.Sort(x);
        int n = x.Length;

        // The product may fall just short of a whole number: (1 − .1) · 10 must keep 9.
        int used = Math.Clamp((int)(((1 - discard) * n) + 1e-9), 1, n - 1);
        double xy = 0;
        double xx = 0;
        for (int i = 0; i < used; i++)
        {
            double y = -Math.Log(1 - ((i + 1.0) / n));
            xy += x[i] * y;
            xx += x[i] * x[i];
        }

        return xx > 0
            ? Result(method, xy / xx, null, n) with { FractionKept = (double)used / n }
            : method.Undefined(GeometryStatus.Degenerate, n);
    }

    /// <summary>Maximum likelihood: d = (N − 1)/Σ ln μ, standard error d/√N.</summary>
    /// <param name="ratios">μ, <c>[N]</c>, in any order, finite, each at least 1.</param>
    public static DimensionEstimate MaximumLikelihood(ReadOnlySpan<double> ratios)
    {
        DimensionMethod method = DimensionMethod.TwoNNMaximumLikelihood();
        if (Logarithms(ratios, method, out double[] x) is { } undefined)
        {
            return undefined;
        }

        double sum = TensorPrimitives.Sum<double>(x);
        double dimension = (x.Length - 1) / sum;
        return sum > 0
            ? Result(method, dimension, dimension / Math.Sqrt(x.Length), x.Length)
            : method.Undefined(GeometryStatus.Degenerate, x.Length);
    }

    /// <summary>The linear fit on a graph of at least two neighbors.</summary>
    public static DimensionEstimate Fit(NeighborGraph graph, double discard = DefaultDiscard)
    {
        DimensionMethod method = DimensionMethod.TwoNNFit(discard);
        return method.Reject(graph) ?? WithGraph(Fit(Ratios(graph), discard), graph);
    }

    /// <summary>Maximum likelihood on a graph of at least two neighbors.</summary>
    public static DimensionEstimate MaximumLikelihood(NeighborGraph graph)
    {
        DimensionMethod method = DimensionMethod.TwoNNMaximumLikelihood();
        return method.Reject(graph) ?? WithGraph(MaximumLikelihood(Ratios(graph)), graph);
    }

    /// <summary>Σ over points of the distance to neighbor <paramref name="rank"/>, divided by their number.</summary>
    internal static double MeanDistance(NeighborGraph graph, int rank)
    {
        double sum = 0;
        for (int i = 0; i < graph.Count; i++)
        {
            sum += graph.Distances(i)[rank - 1];
        }

        return sum / graph.Count;
    }

    private static DimensionEstimate Result(DimensionMethod method, double dimension, double? error, int n) => new()
    {
        Method = method,
        Status = GeometryStatus.Ok,
        Dimension = dimension,
        StandardError = error,
        Points = n,
    };

    private static DimensionEstimate WithGraph(DimensionEstimate estimate, NeighborGraph graph) => estimate with
    {
        DuplicatesDropped = graph.DuplicatesDropped,
        MeanDistance = MeanDistance(graph, 2),
    };

    private static DimensionEstimate? Logarithms(ReadOnlySpan<double> ratios, DimensionMethod method, out double[] x)
    {
        x = new double[ratios.Length];
        TensorPrimitives.Log(ratios, x);
        foreach (double value in x)
        {
            if (!double.IsFinite(value))
            {
                return method.Undefined(GeometryStatus.NotFinite, x.Length);
            }

            if (value < 0)
            {
                throw new ArgumentException("TwoNN: a ratio r₂/r₁ is below 1.", nameof(ratios));
            }
        }

        return x.Length < 3 ? method.Undefined(GeometryStatus.TooFewPoints, x.Length) : null;
    }
}
