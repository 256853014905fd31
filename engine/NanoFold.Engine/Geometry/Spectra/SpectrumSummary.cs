using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Spectra;

/// <summary>
/// A spectrum in a few figures. λ are eigenvalues of the covariance, σ = √λ the singular values of the centered data.
/// Every figure is invariant to rotation, shift and scale, except <see cref="TotalVariance"/>, which scales.
/// Figures are null when <see cref="Status"/> is not Ok.
/// </summary>
public sealed record SpectrumSummary
{
    /// <summary>Why the figures are there or not.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N, the number of rows measured.</summary>
    public required long Points { get; init; }

    /// <summary>D, the length of a row.</summary>
    public required int Dimension { get; init; }

    /// <summary>Σλ.</summary>
    public double? TotalVariance { get; init; }

    /// <summary>(Σλ)²/Σλ². For a Gaussian without structure about (N − 1)D/(N + D).</summary>
    public double? ParticipationRatio { get; init; }

    /// <summary>exp H(σ/Σσ): effective rank on singular values (Roy and Vetterli 2007; RankMe, Garrido et al. 2023).</summary>
    public double? ErankSv { get; init; }

    /// <summary>exp H(λ/Σλ): the same on eigenvalues; always smaller or equal.</summary>
    public double? ErankEig { get; init; }

    /// <summary>λ₁/Σλ.</summary>
    public double? FirstShare { get; init; }

    /// <summary>‖A‖²_F/σ₁² = Σλ/λ₁.</summary>
    public double? StableRank { get; init; }

    /// <summary>(PR − 1)/(D − 1) (IsoScore, Rudman et al. 2022); null for D = 1.</summary>
    public double? IsoScore { get; init; }

    /// <summary>Summarizes eigenvalues of a covariance; negative ones, which rounding leaves, count as 0.</summary>
    /// <param name="eigenvalues">In any order, <c>[D]</c>.</param>
    /// <param name="points">N, for the record; fewer than 2 is TooFewPoints.</param>
    public static SpectrumSummary FromEigenvalues(ReadOnlySpan<double> eigenvalues, long points)
    {
        int d = eigenvalues.Length;
        double sum = 0;
        double squares = 0;
        double roots = 0;
        double max = 0;
        foreach (double raw in eigenvalues)
        {
            if (!double.IsFinite(raw))
            {
                return Undefined(GeometryStatus.NotFinite, points, d);
            }

            double value = Math.Max(raw, 0);
            sum += value;
            roots += Math.Sqrt(value);
            max = Math.Max(max, value);
        }

        if (points < 2)
        {
            return Undefined(GeometryStatus.TooFewPoints, points, d);
        }

        if (sum == 0)
        {
            return Undefined(GeometryStatus.ZeroVariance, points, d);
        }

        double entropySv = 0;
        double entropyEig = 0;
        foreach (double raw in eigenvalues)
        {
            double value = Math.Max(raw, 0);
            double share = value / sum;
            squares += share * share;
            entropyEig -= XLogX(share);
            entropySv -= XLogX(Math.Sqrt(value) / roots);
        }

        double participation = 1 / squares;
        return new SpectrumSummary
        {
            Status = GeometryStatus.Ok,
            Points = points,
            Dimension = d,
            TotalVariance = sum,
            ParticipationRatio = participation,
            ErankSv = Math.Exp(entropySv),
            ErankEig = Math.Exp(entropyEig),
            FirstShare = max / sum,
            StableRank = sum / max,
            IsoScore = d > 1 ? (participation - 1) / (d - 1) : null,
        };
    }

    /// <summary>A summary without figures.</summary>
    internal static SpectrumSummary Undefined(GeometryStatus status, long points, int dimension) =>
        new() { Status = status, Points = points, Dimension = dimension };

    private static double XLogX(double x) => x > 0 ? x * Math.Log(x) : 0;
}
