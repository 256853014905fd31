using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Experiments.Statistics;

/// <summary>Student's t distribution with ν degrees of freedom, and what follows from it for a paired test.</summary>
internal static class StudentT
{
    private const int Pieces = 400;

    // Lanczos, g = 7: relative error below 1e-14.
    private static readonly double[] s_lanczos =
    [
        0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
    ];

    /// <summary>P(|T| ≥ |t|) = I_x(ν/2, ½) with x = ν/(ν + t²), the regularized incomplete beta function.</summary>
    public static double TwoSided(double t, double freedom)
    {
        double square = t * t;
        return double.IsNaN(t) ? double.NaN : double.IsInfinity(square) ? 0 : IncompleteBeta(freedom / (freedom + square), square / (freedom + square), freedom / 2, 0.5);
    }

    /// <summary>The t beyond which, on both sides together, a share of the distribution lies.</summary>
    public static double Critical(double share, double freedom)
    {
        double low = 0, high = 1;
        while (TwoSided(high, freedom) > share)
        {
            high *= 2;
        }

        while (true)
        {
            double middle = (low + high) / 2;
            if (middle <= low || middle >= high)
            {
                return high;
            }

            (low, high) = TwoSided(middle, freedom) > share ? (middle, high) : (low, middle);
        }
    }

    /// <summary>
    /// The power of a two-sided t test: P(|T′| > c) where T′ = (Z + δ)/S is noncentral, with S² ~ χ²(ν)/ν: ∫ f(s) (Φ(δ − c·s) + Φ(−δ − c·s)) ds by Simpson's rule.
    /// </summary>
    /// <param name="noncentrality">δ = (mean ÷ standard deviation) · √n.</param>
    /// <param name="freedom">ν = n − 1.</param>
    /// <param name="share">The error of the first kind: 0.05.</param>
    public static double Power(double noncentrality, double freedom, double share)
    {
        double critical = Critical(share, freedom), reach = 8 / Math.Sqrt(freedom), from = Math.Max(0, 1 - reach), step = (1 + reach - from) / Pieces, sum = 0;
        double constant = Math.Log(2) + (freedom / 2 * Math.Log(freedom / 2)) - LogGamma(freedom / 2);
        for (int i = 0; i <= Pieces; i++)
        {
            double s = from + (i * step);
            double density = s > 0 ? Math.Exp(constant + ((freedom - 1) * Math.Log(s)) - (freedom * s * s / 2)) : freedom == 1 ? Math.Exp(constant) : 0;
            int weight = i is 0 or Pieces ? 1 : i % 2 == 1 ? 4 : 2;
            sum += weight * density * (Normal(noncentrality - (critical * s)) + Normal(-noncentrality - (critical * s)));
        }

        return sum * step / 3;
    }

    // Φ.
    private static double Normal(double x) => LaneDouble.Erfc(new LaneDouble(-x / Math.Sqrt(2))).Value / 2;

    // y = 1 − x, given beside it so that nothing cancels.
    private static double IncompleteBeta(double x, double y, double a, double b)
    {
        if (x <= 0 || y <= 0)
        {
            return x <= 0 ? 0 : 1;
        }

        double front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + (a * Math.Log(x)) + (b * Math.Log(y)));
        return x < (a + 1) / (a + b + 2) ? front * BetaFraction(x, a, b) / a : 1 - (front * BetaFraction(y, b, a) / b);
    }

    // The continued fraction of the incomplete beta function by Lentz's method.
    private static double BetaFraction(double x, double a, double b)
    {
        double c = 1, d = 1 / (1 - ((a + b) * x / (a + 1))), value = d;
        for (int m = 1; m < 1000; m++)
        {
            double even = m * (b - m) * x / ((a + (2 * m) - 1) * (a + (2 * m)));
            double odd = -(a + m) * (a + b + m) * x / ((a + (2 * m)) * (a + (2 * m) + 1));
            d = 1 / (1 + (even * d));
            c = 1 + (even / c);
            value *= c * d;
            d = 1 / (1 + (odd * d));
            c = 1 + (odd / c);
            value *= c * d;
            if (Math.Abs((c * d) - 1) < 1e-15)
            {
                break;
            }
        }

        return value;
    }

    private static double LogGamma(double x)
    {
        if (x < 0.5)
        {
            return Math.Log(Math.PI / Math.Sin(Math.PI * x)) - LogGamma(1 - x);
        }

        double sum = s_lanczos[0], t = x + 6.5;
        for (int i = 1; i < s_lanczos.Length; i++)
        {
            sum += s_lanczos[i] / (x - 1 + i);
        }

        return (0.5 * Math.Log(2 * Math.PI)) + ((x - 0.5) * Math.Log(t)) - t + Math.Log(sum);
    }
}
