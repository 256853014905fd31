using System.Globalization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Dimensions;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Dimension against relative depth, from the stream before the first block (depth 0) to that after the last (depth 1): after which block it peaks, and how far
/// above the first and the last. Trained models are often hunchbacked, untrained ones flat (Ansuini et al. 2019; Valeriani et al. 2023; Cheng et al. 2024).
/// </summary>
public sealed record DimensionProfileMeasure : ModelMeasure
{
    /// <summary>Fraction of the largest ratios left out of the fit.</summary>
    [Bounds(0, 0.99)]
    public double Discard { get; init; } = TwoNN.DefaultDiscard;

    /// <inheritdoc/>
    public override string Legend => "peak, over ends = relative depth of the block after which TwoNN is largest, and that ÷ the mean after the first and the last";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("peakDepth", "peak", "0.00"), new("peakOverEnds", "over ends", "0.00")];

    /// <inheritdoc/>
    public override int Neighbors => 2;

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => DimensionFigures.Work(shape, width) + ((double)shape.Neighbors * width * width / 2);

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => base.Bytes(shape, width) + StreamingMoments.Bytes(width, 2);

    /// <inheritdoc/>
    public override void Take(IReadOnlyList<PointCloud> streams, FigureWriter figures)
    {
        DimensionEstimate[] estimates = [.. streams.Select(stream => DimensionMethod.TwoNNFit(Discard).Estimate(stream.Neighbors(Neighbors)))];
        for (int layer = 0; layer < streams.Count; layer++)
        {
            string suffix = "." + layer.ToString(CultureInfo.InvariantCulture);
            DimensionFigures.Write(figures, suffix, estimates[layer], streams[layer].Width);
            SpectrumSummary spectrum = streams[layer].Moments().Summarize();
            figures.Add("participationRatio" + suffix, spectrum.ParticipationRatio, spectrum.Status, SpectrumMeasure.Estimator, spectrum.Points);
        }

        // Before the first block copies of a token are one point: that is the dimension of fewer and other points.
        GeometryStatus status = estimates.Skip(1).Select(e => e.Status).FirstOrDefault(s => s != GeometryStatus.Ok);
        int peak = 1;
        for (int layer = 2; layer < estimates.Length; layer++)
        {
            peak = estimates[layer].Dimension > estimates[peak].Dimension ? layer : peak;
        }

        string estimator = $"{estimates[0].Method.Label}, after {estimates.Length - 1} blocks";
        figures.Add("peakDepth", peak / (estimates.Length - 1.0), status, estimator, estimates[peak].Points);
        figures.Add("peakOverEnds", 2 * estimates[peak].Dimension / (estimates[1].Dimension + estimates[^1].Dimension), status, estimator, estimates[peak].Points);
    }
}
