using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Intrinsic dimension from the ratio of the distances to the two nearest neighbors, by a linear fit, with the dimension of the Gaussian of as many points on
/// which it would give the same figure: nearest neighbors cannot see high dimensions.
/// </summary>
public sealed record TwoNNMeasure : PointMeasure
{
    /// <summary>Fraction of the largest ratios left out of the fit. DADApy leaves out .1, Valeriani et al. (2023) .02.</summary>
    [Bounds(0, 0.99)]
    public double Discard { get; init; } = TwoNN.DefaultDiscard;

    /// <summary>Nearest neighbors of each token that are written after training, with their distances; further ones take much room.</summary>
    [Bounds(2, 1 << 16)]
    public int Keep { get; init; } = 8;

    /// <inheritdoc/>
    public override string Legend => "Gauss = dimension of a Gaussian that TwoNN would measure the same";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("dimension", "TwoNN", "0.0"), new("gaussianDimension", "Gauss", "0")];

    /// <inheritdoc/>
    public override int Neighbors => 2;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => DimensionFigures.Work(shape, width);

    /// <inheritdoc/>
    /// <remarks>Arrays: ratios μ, and of the graph rows, neighbors and distances, so that estimators can be run again without the activations.</remarks>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        NeighborGraph graph = cloud.Neighbors(figures.WantsArrays ? Keep : Neighbors);
        DimensionFigures.Write(figures, "", DimensionMethod.TwoNNFit(Discard).Estimate(graph), cloud.Width);
        if (figures.WantsArrays && graph.Status == GeometryStatus.Ok)
        {
            figures.Array("ratios", [graph.Count], TwoNN.Ratios(graph));
            figures.Array("rows", [graph.Count], graph.Rows);
            int k = Math.Min(Keep, graph.K);
            figures.Array("neighbors", [graph.Count, k], Nearest(graph.AllNeighbors, graph.K, k));
            figures.Array("distances", [graph.Count, k], Nearest(graph.AllDistances, graph.K, k));
        }
    }

    private static ReadOnlySpan<T> Nearest<T>(ReadOnlySpan<T> all, int of, int k)
    {
        var nearest = new T[all.Length / of * k];
        for (int from = 0, to = 0; to < nearest.Length; from += of, to += k)
        {
            all.Slice(from, k).CopyTo(nearest.AsSpan(to));
        }

        return nearest;
    }
}

/// <summary>What all measures of the intrinsic dimension write.</summary>
internal static class DimensionFigures
{
    /// <summary>The search for neighbors and, by the engine's products, those of a new calibration.</summary>
    public static double Work(in ProbeShape shape, int width) => (double)shape.Neighbors * shape.Neighbors * (width + 20);

    /// <summary>The dimension and the Gaussian's.</summary>
    /// <param name="figures">Where they go.</param>
    /// <param name="suffix">What follows their names, where there are several.</param>
    /// <param name="estimate">What was measured.</param>
    /// <param name="width">D.</param>
    /// <param name="tokens">Which tokens it is of, where it is of some only.</param>
    public static void Write(FigureWriter figures, string suffix, DimensionEstimate estimate, int width, string tokens = "position 0 out")
    {
        string estimator = $"{estimate.Method.Label}, {tokens}, {estimate.DuplicatesDropped} duplicates dropped, {estimate.FractionKept:0.###} kept";
        CalibratedDimension calibrated = GaussianCalibration.Calibrate(estimate, width);
        figures.Add("dimension" + suffix, estimate.Dimension, estimate.Status, estimator, estimate.Points, estimate.StandardError);
        figures.Add(
            "gaussianDimension" + suffix, calibrated.GaussianDimension, calibrated.BoundedStatus, $"{estimate.Method.Label} on Gaussians", calibrated.GaussianPoints);
    }
}
