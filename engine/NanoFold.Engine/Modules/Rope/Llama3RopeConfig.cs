using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Modules;

/// <summary>
/// Llama 3.1's: pairs with a wavelength 2π/θ below original / highFreqFactor stay as they are, those above original / lowFreqFactor are divided by the factor, those between
/// are mixed, in the share s = (original / wavelength − lowFreqFactor) / (highFreqFactor − lowFreqFactor) as they are.
/// </summary>
public sealed record Llama3RopeConfig : StretchedRopeConfig
{
    /// <summary>Wavelengths in a text of training below which a pair is divided by the factor.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double LowFreqFactor { get; init; } = 1;

    /// <summary>Wavelengths in a text of training above which a pair stays as it is.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double HighFreqFactor { get; init; } = 4;

    /// <inheritdoc/>
    public override double[] Frequencies(RopeAngles angles, int length) =>
    [
        .. angles.Frequencies.Select(f =>
        {
            double fits = Original * f / (2 * Math.PI), share = Math.Clamp((fits - LowFreqFactor) / (HighFreqFactor - LowFreqFactor), 0, 1);
            return ((1 - share) * f / Factor) + (share * f);
        }),
    ];

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(RopeAngles angles, string path)
    {
        foreach (ConfigProblem problem in base.Validate(angles, path))
        {
            yield return problem;
        }

        if (HighFreqFactor <= LowFreqFactor)
        {
            yield return new ConfigProblem($"{path}.highFreqFactor", FormattableString.Invariant($"{HighFreqFactor} is not more than {path}.lowFreqFactor = {LowFreqFactor}"));
        }
    }
}
