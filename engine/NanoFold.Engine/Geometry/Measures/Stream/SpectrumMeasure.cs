using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Eigenvalues λ of the covariance of the sampled tokens, centered, position 0 left out, in a few figures: participation ratio, effective ranks, first share, stable rank, IsoScore.</summary>
public sealed record SpectrumMeasure : PointMeasure
{
    internal const string Estimator = "covariance, centered, position 0 out";

    /// <inheritdoc/>
    public override string Legend => "PR, erank, λ₁ = participation ratio, effective rank and first share of the eigenvalues of the covariance";

    /// <inheritdoc/>
    public override int Tier => 1;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("participationRatio", "PR", "0.0"), new("erankEig", "erank", "0.0"), new("firstEigenvalueShare", "λ₁ %", "0", 100)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => ((double)shape.Points * width * width / 2) + (4.0 / 3 * width * width * width);

    /// <inheritdoc/>
    /// <remarks>Second moments, the covariance and the matrix that is made diagonal.</remarks>
    public override double Bytes(in ProbeShape shape, int width) => StreamingMoments.Bytes(width, 2);

    /// <inheritdoc/>
    public override void Take(PointCloud cloud, FigureWriter figures)
    {
        StreamingMoments moments = cloud.Moments();
        double[] eigenvalues = moments.Eigenvalues();
        SpectrumSummary spectrum = moments.Status == GeometryStatus.Ok ? SpectrumSummary.FromEigenvalues(eigenvalues, moments.Count) : moments.Summarize();
        void Add(string name, double? value) => figures.Add(name, value, spectrum.Status, Estimator, spectrum.Points);
        Add("totalVariance", spectrum.TotalVariance);
        Add("participationRatio", spectrum.ParticipationRatio);
        Add("erankSv", spectrum.ErankSv);
        Add("erankEig", spectrum.ErankEig);
        Add("firstEigenvalueShare", spectrum.FirstShare);
        Add("stableRank", spectrum.StableRank);
        Add("isoScore", spectrum.IsoScore);
        figures.Array("eigenvalues", [eigenvalues.Length], eigenvalues);
    }
}
