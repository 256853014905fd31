using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Singular values σ of every matrix W [M, N] of the parameters, in a few figures: effective rank exp H(σ/Σσ) (Roy and Vetterli 2007), participation ratio
/// (Σσ²)²/Σσ⁴ and the share σ₁²/Σσ² of the first; not centered. Each figure is at most min(M, N), and the same for W and Wᵀ.
/// </summary>
public sealed record WeightSpectrumMeasure : WeightMeasure
{
    private const string Estimator = "all singular values";

    /// <inheritdoc/>
    public override string Legend => "erank, PR, σ₁² % = effective rank, participation ratio and first share of the squared singular values of a matrix of weights";

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
        [new("weightErank", "erank", "0.0"), new("weightParticipationRatio", "PR", "0.0"), new("weightFirstShare", "σ₁² %", "0", 100)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => 12 * ((2.0 * width * width * width) + (4.0 / 3 * width * width * width));

    /// <inheritdoc/>
    public override double Bytes(in ProbeShape shape, int width) => MatrixSpectrum.Bytes(width);

    /// <inheritdoc/>
    public override void Take(WeightSample weights, FigureWriter figures)
    {
        int least = Math.Min(weights.Rows, weights.Columns);
        SpectrumSummary spectrum = RowGuard.AllFinite(weights.Values)
            ? SpectrumSummary.FromEigenvalues(MatrixSpectrum.Squares(weights.Values, weights.Rows, weights.Columns), Math.Max(2, weights.Rows))
            : SpectrumSummary.FromEigenvalues([double.NaN], weights.Rows);
        void Add(string name, double? value) => figures.Add(name, value, spectrum.Status, Estimator, least);
        Add("weightErank", spectrum.ErankSv);
        Add("weightParticipationRatio", spectrum.ParticipationRatio);
        Add("weightFirstShare", spectrum.FirstShare);
    }
}
