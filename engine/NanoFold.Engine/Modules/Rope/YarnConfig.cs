using NanoFold.Engine.Configuration;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Modules;

/// <summary>
/// YaRN (arXiv 2309.00071): pairs that turn often within a text of training stay as they are, those that turn less than once are divided by the factor, those between
/// are mixed; with bound(r) = R · ln(original / 2πr) / (2 ln base), the ramp goes from bound(betaFast) to bound(betaSlow).
/// </summary>
public sealed record YarnConfig : StretchedRopeConfig
{
    /// <summary>Turns within a text of training above which a pair stays as it is.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double BetaFast { get; init; } = 32;

    /// <summary>Turns below which a pair is divided by the factor.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double BetaSlow { get; init; } = 1;

    /// <summary>The ramp begins and ends at whole pairs.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>The factor on cosines and sines; null for that of mscale and mscaleAllDim or, without them, 0.1 · ln factor + 1.</summary>
    [Bounds(0, AboveMinimum = true)]
    public double? AttentionFactor { get; init; }

    /// <summary>Of the factor (0.1 · mscale · ln factor + 1) / (0.1 · mscaleAllDim · ln factor + 1) on cosines and sines; 0 for none.</summary>
    [Bounds(0)]
    public double Mscale { get; init; }

    /// <summary>The divisor's part of <see cref="Mscale"/>; 0 for none.</summary>
    [Bounds(0)]
    public double MscaleAllDim { get; init; }

    /// <inheritdoc/>
    public override double FactorOn => AttentionFactor ?? (Mscale > 0 && MscaleAllDim > 0 ? Temperature(Mscale) / Temperature(MscaleAllDim) : Temperature(1));

    /// <inheritdoc/>
    public override double[] Frequencies(RopeAngles angles, int length)
    {
        double Bound(double turns) => angles.Width * PortableMath.Log(Original / (2 * Math.PI * turns)) / (2 * PortableMath.Log(angles.Base));
        double low = Bound(BetaFast), high = Bound(BetaSlow);
        (low, high) = Truncate ? (Math.Floor(low), Math.Ceiling(high)) : (low, high);
        (low, high) = (Math.Max(low, 0), Math.Min(high, angles.Width - 1));
        double span = high == low ? 0.001 : high - low;
        return
        [
            .. angles.Frequencies.Select((f, i) =>
            {
                double ramp = Math.Clamp((i - low) / span, 0, 1);
                return (f * (1 - ramp)) + (f / Factor * ramp);
            }),
        ];
    }

    private double Temperature(double scale) => (0.1 * scale * PortableMath.Log(Factor)) + 1;
}
