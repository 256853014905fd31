namespace NanoFold.Kernels.Lanes;

/// <summary>What <see cref="Math"/> lacks, for <see cref="LaneDouble"/>: exact to rounding, speed is no matter.</summary>
internal static class DoubleMath
{
    private const double RootPi = 1.7724538509055160273;

    /// <summary>1 − erf x. Up to |x| = 2 by the series of erf whose terms are all positive, beyond by the continued fraction (Abramowitz and Stegun 7.1.6, 7.1.14).</summary>
    public static double Erfc(double x)
    {
        double a = Math.Abs(x);
        if (a < 2)
        {
            double term = 2 / RootPi * x * Math.Exp(-x * x), erf = 0;
            for (int n = 1; n < 50; n++)
            {
                erf += term;
                term *= 2 * x * x / (2 * n + 1);
            }

            return 1 - erf;
        }

        double fraction = a;
        for (int n = 60; n > 0; n--)
        {
            fraction = a + n / 2.0 / fraction;
        }

        double tail = Math.Exp(-a * a) / RootPi / fraction;
        return x < 0 ? 2 - tail : tail;
    }
}
