namespace NanoFold.Engine.Geometry.Heads;

/// <summary>How fast something fades that is given by lag: τ of a fit of a · e^(−lag/τ).</summary>
public static class Timescale
{
    /// <summary>
    /// τ in lags, by least squares on the logarithms of values, each lag counting the same; +∞ where they do not fade. Null for fewer than two values above 0.
    /// </summary>
    /// <param name="lags">Where values are.</param>
    /// <param name="values">At least 0; those that are 0 have no logarithm and are left out.</param>
    public static double? Fit(ReadOnlySpan<double> lags, ReadOnlySpan<double> values)
    {
        double n = 0, x = 0, y = 0, xx = 0, xy = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if (values[i] > 0)
            {
                double log = Math.Log(values[i]);
                n++;
                x += lags[i];
                y += log;
                xx += lags[i] * lags[i];
                xy += lags[i] * log;
            }
        }

        double spread = (n * xx) - (x * x);
        if (n < 2 || spread <= 0)
        {
            return null;
        }

        double slope = ((n * xy) - (x * y)) / spread;
        return slope < 0 ? -1 / slope : double.PositiveInfinity;
    }

    /// <summary>The value below which a share of the values lies, between neighbors in proportion. Sorts them.</summary>
    public static double Quantile(Span<double> values, double share)
    {
        values.Sort();
        double at = share * (values.Length - 1);
        int below = (int)at;
        return below + 1 < values.Length ? values[below] + ((at - below) * (values[below + 1] - values[below])) : values[below];
    }
}
