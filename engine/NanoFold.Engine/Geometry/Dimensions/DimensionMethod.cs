using System.Globalization;
using System.Text.Json.Serialization;
using NanoFold.Engine.Geometry.Neighbors;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Dimensions;

/// <summary>An estimator with its setting: what must be equal for two figures to be comparable.</summary>
public sealed record DimensionMethod
{
    private DimensionMethod(DimensionEstimator estimator, double discard, int rank)
    {
        Estimator = estimator;
        Discard = discard;
        Rank = rank;
    }

    /// <summary>Which estimator.</summary>
    public DimensionEstimator Estimator { get; }

    /// <summary>Fraction of the largest ratios left out (TwoNN fit), else 0.</summary>
    public double Discard { get; }

    /// <summary>The farthest neighbor used: 2 for TwoNN, n₂ for GRIDE and correlation, k for Levina–Bickel.</summary>
    public int Rank { get; }

    /// <summary>A short name with the setting, such as <c>gride 8-16</c>.</summary>
    public string Label => Estimator switch
    {
        DimensionEstimator.TwoNNFit => string.Create(CultureInfo.InvariantCulture, $"twonn f={Discard}"),
        DimensionEstimator.TwoNNMaximumLikelihood => "twonn ml",
        DimensionEstimator.Gride => string.Create(CultureInfo.InvariantCulture, $"gride {Rank / 2}-{Rank}"),
        DimensionEstimator.Correlation => string.Create(CultureInfo.InvariantCulture, $"correlation {Rank / 2}-{Rank}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"levina-bickel k={Rank}"),
    };

    /// <summary>TwoNN by a linear fit.</summary>
    /// <param name="discard">Fraction of the largest ratios left out, 0 to below 1. DADApy uses .1, Valeriani et al. .02.</param>
    public static DimensionMethod TwoNNFit(double discard = TwoNN.DefaultDiscard)
    {
        if (!(discard is >= 0 and < 1))
        {
            throw new ArgumentOutOfRangeException(nameof(discard), discard, "The discarded fraction must be at least 0 and below 1.");
        }

        return new DimensionMethod(DimensionEstimator.TwoNNFit, discard, 2);
    }

    /// <summary>TwoNN by maximum likelihood.</summary>
    public static DimensionMethod TwoNNMaximumLikelihood() => new(DimensionEstimator.TwoNNMaximumLikelihood, 0, 2);

    /// <summary>GRIDE with n₂ = 2n₁.</summary>
    /// <param name="rank">n₂, even, at least 2.</param>
    public static DimensionMethod Gride(int rank)
    {
        if (rank < 2 || rank % 2 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(rank), rank, "GRIDE needs an even rank of at least 2.");
        }

        return new DimensionMethod(DimensionEstimator.Gride, 0, rank);
    }

    /// <summary>Levina–Bickel over k neighbors.</summary>
    /// <param name="k">At least 2.</param>
    public static DimensionMethod LevinaBickel(int k = 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(k, 2);
        return new DimensionMethod(DimensionEstimator.LevinaBickel, 0, k);
    }

    /// <summary>Correlation dimension between the median distances to two neighbors.</summary>
    /// <param name="rank">n₂, even, at least 2; n₁ is half of it.</param>
    public static DimensionMethod Correlation(int rank = 20)
    {
        if (rank < 2 || rank % 2 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(rank), rank, "The correlation dimension needs an even rank of at least 2.");
        }

        return new DimensionMethod(DimensionEstimator.Correlation, 0, rank);
    }

    /// <summary>Estimates on a graph that holds at least <see cref="Rank"/> neighbors, and on the points that it is of: the correlation dimension needs them.</summary>
    /// <param name="graph">The neighbors.</param>
    /// <param name="points"><c>[N, D]</c>, duplicates included.</param>
    /// <param name="d">D.</param>
    public DimensionEstimate Estimate(NeighborGraph graph, ReadOnlySpan<float> points, int d) =>
        Estimator == DimensionEstimator.Correlation ? CorrelationDimension.Estimate(graph, points, d, Rank) : Estimate(graph);

    /// <summary>Estimates on a graph that holds at least <see cref="Rank"/> neighbors.</summary>
    /// <exception cref="InvalidOperationException">The correlation dimension counts pairs that a graph does not hold.</exception>
    public DimensionEstimate Estimate(NeighborGraph graph) => Estimator switch
    {
        DimensionEstimator.Correlation => throw new InvalidOperationException("The correlation dimension needs the points beside the graph."),
        DimensionEstimator.TwoNNFit => TwoNN.Fit(graph, Discard),
        DimensionEstimator.TwoNNMaximumLikelihood => TwoNN.MaximumLikelihood(graph),
        DimensionEstimator.Gride => Dimensions.Gride.Estimate(graph, Rank),
        _ => Dimensions.LevinaBickel.Estimate(graph, Rank),
    };

    /// <summary>An estimate without a figure.</summary>
    internal DimensionEstimate Undefined(GeometryStatus status, int points, int duplicates = 0) =>
        new() { Method = this, Status = status, Points = points, DuplicatesDropped = duplicates };

    /// <summary>Why <paramref name="graph"/> cannot be measured this way, or null when it can.</summary>
    internal DimensionEstimate? Reject(NeighborGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        GeometryStatus status = graph.Status == GeometryStatus.Ok && graph.K < Rank
            ? GeometryStatus.TooFewPoints
            : graph.Status;
        return status == GeometryStatus.Ok ? null : Undefined(status, graph.Count, graph.DuplicatesDropped);
    }
}

/// <summary>The intrinsic dimension estimators.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<DimensionEstimator>))]
public enum DimensionEstimator
{
    /// <summary>TwoNN by a linear fit: <see cref="TwoNN.Fit(ReadOnlySpan{double}, double)"/>.</summary>
    TwoNNFit,

    /// <summary>TwoNN by maximum likelihood: <see cref="TwoNN.MaximumLikelihood(ReadOnlySpan{double})"/>.</summary>
    TwoNNMaximumLikelihood,

    /// <summary>Generalized ratios: <see cref="Dimensions.Gride"/>.</summary>
    Gride,

    /// <summary>Maximum likelihood over k neighbors: <see cref="Dimensions.LevinaBickel"/>.</summary>
    LevinaBickel,

    /// <summary>Growth of the number of pairs with their distance: <see cref="CorrelationDimension"/>.</summary>
    Correlation,
}
