namespace NanoFold.Kernels.Lanes;

/// <summary>
/// Exponential, logarithm, power, sine and cosine in double precision with the same bits on every machine: sums, products, quotients and fused multiply-adds in a fixed order, each of
/// which rounds correctly wherever it runs. Those of the system's library differ in the last bit between systems.
/// </summary>
public static class PortableMath
{
    private const double Log2E = 1.4426950408889634, Ln2 = 0.69314718055994530942, Ln2Tail = 2.3190468138462996e-17;
    private const double TwoOverPi = 0.63661977236758134308, HalfPi = 1.5707963267948966, HalfPiTail = 6.123233995736766e-17, HalfPiRest = -1.4973849048591833e-33;
    private const double SquareRootOfHalf = 0.70710678118654752440;

    // 1 / n! of the exponential's series.
    private const int ExpTerms = 14;

    /// <summary>eˣ, within two units of the last place; 0 below −745, infinite above 709.</summary>
    public static double Exp(double x)
    {
        if (!(Math.Abs(x) < 700))
        {
            return x > 709.78 ? double.PositiveInfinity : x < -745.13 ? 0 : double.IsNaN(x) ? x : Exp(x / 2) * Exp(x / 2);
        }

        double n = Math.Round(x * Log2E);
        double r = Math.FusedMultiplyAdd(-n, Ln2Tail, Math.FusedMultiplyAdd(-n, Ln2, x));
        double sum = 1.0 / 87178291200;
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 6227020800);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 479001600);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 39916800);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 3628800);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 362880);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 40320);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 5040);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 720);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 120);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 24);
        sum = Math.FusedMultiplyAdd(sum, r, 1.0 / 6);
        sum = Math.FusedMultiplyAdd(sum, r, 0.5);
        sum = Math.FusedMultiplyAdd(sum * r, r, r);
        return (1 + sum) * PowerOfTwo((int)n);
    }

    /// <summary>ln x, within two units of the last place.</summary>
    public static double Log(double x)
    {
        if (!(x > 0) || double.IsInfinity(x))
        {
            return x == 0 ? double.NegativeInfinity : x > 0 ? x : double.NaN;
        }

        double mantissa = Split(x, out int exponent);
        // ln m = 2 artanh s.
        double s = (mantissa - 1) / (mantissa + 1), square = s * s, sum = 0;
        for (int k = 27; k >= 3; k -= 2)
        {
            sum = Math.FusedMultiplyAdd(sum, square, 1.0 / k);
        }

        return Math.FusedMultiplyAdd(exponent, Ln2, Math.FusedMultiplyAdd(exponent, Ln2Tail, 2 * Math.FusedMultiplyAdd(sum * square, s, s)));
    }

    /// <summary>bᵉ for a positive base, rounded correctly but for one case in billions.</summary>
    public static double Pow(double b, double e)
    {
        if (!(b > 0) || !double.IsFinite(b) || !double.IsFinite(e))
        {
            return Math.Pow(b, e);
        }

        return WideExp(Wide.Product(WideLog(b), e)).High;
    }

    /// <summary>Sine and cosine of an angle below 2³⁰, each rounded correctly but for one case in billions, where it is not close to 0.</summary>
    public static (double Sin, double Cos) SinCos(double x)
    {
        double n = Math.Round(x * TwoOverPi);
        Wide r = Wide.Sum(Wide.Sum(Wide.Exact(x), -Wide.Product(n, HalfPi)), -Wide.Product(n, HalfPiTail));
        r = Wide.Sum(r, Wide.Exact(-n * HalfPiRest));
        Wide square = Wide.Product(r, r), sine = r, cosine = Wide.Exact(1), term = r;
        for (int k = 2; k < 32; k += 2)
        {
            term = Wide.Quotient(-Wide.Product(term, square), k * (k + 1.0));
            sine = Wide.Sum(sine, term);
        }

        term = cosine;
        for (int k = 1; k < 31; k += 2)
        {
            term = Wide.Quotient(-Wide.Product(term, square), k * (k + 1.0));
            cosine = Wide.Sum(cosine, term);
        }

        return ((long)n & 3) switch
        {
            0 => (sine.High, cosine.High),
            1 => (cosine.High, -sine.High),
            2 => (-sine.High, -cosine.High),
            _ => (-cosine.High, sine.High),
        };
    }

    /// <summary>
    /// Sine and cosine for tables in single precision: where rounding to that cannot depend on the last bits, by the system's library, which is several times as fast; otherwise as
    /// <see cref="SinCos"/>.
    /// </summary>
    /// <param name="x">The angle.</param>
    /// <param name="factor">On both.</param>
    public static (double Sin, double Cos) SinCosForSingle(double x, double factor = 1)
    {
        (double sin, double cos) = Math.SinCos(x);
        if (IsNearMiddle(sin * factor) || IsNearMiddle(cos * factor))
        {
            (sin, cos) = SinCos(x);
        }

        return (sin * factor, cos * factor);
    }

    /// <summary>Whether a few units of the last place decide which float a number rounds to.</summary>
    public static bool IsNearMiddle(double x)
    {
        const int Dropped = 29, Few = 64;
        long rest = BitConverter.DoubleToInt64Bits(x) & ((1L << Dropped) - 1);
        return Math.Abs(rest - (1L << (Dropped - 1))) < Few;
    }

    // x = m · 2ᵉ, with m in [√½, √2).
    private static double Split(double x, out int exponent)
    {
        const int Bias = 1023, MantissaBits = 52;
        int scaled = 0;
        if (x < 2.2250738585072014e-308)
        {
            (x, scaled) = (x * (1L << MantissaBits), MantissaBits);
        }

        long bits = BitConverter.DoubleToInt64Bits(x);
        exponent = (int)(bits >> MantissaBits) - Bias - scaled;
        double mantissa = BitConverter.Int64BitsToDouble((bits & ((1L << MantissaBits) - 1)) | ((long)Bias << MantissaBits));
        if (mantissa > 2 * SquareRootOfHalf)
        {
            exponent++;
            mantissa /= 2;
        }

        return mantissa;
    }

    private static double PowerOfTwo(int n) => BitConverter.Int64BitsToDouble((long)(n + 1023) << 52);

    // Newton's step from a logarithm in double precision.
    private static Wide WideLog(double x)
    {
        double first = Log(x);
        Wide rest = Wide.Sum(Wide.Product(WideExp(Wide.Exact(-first)), x), Wide.Exact(-1));
        return Wide.Sum(Wide.Exact(first), Wide.Sum(rest, Wide.Exact(-0.5 * rest.High * rest.High)));
    }

    private static Wide WideExp(Wide x)
    {
        const int Halvings = 9;
        if (!(Math.Abs(x.High) < 700))
        {
            return Wide.Exact(Exp(x.High));
        }

        double n = Math.Round(x.High * Log2E);
        Wide r = Wide.Sum(Wide.Sum(x, -Wide.Product(n, Ln2)), -Wide.Product(n, Ln2Tail));
        r = new Wide(r.High / (1 << Halvings), r.Low / (1 << Halvings));
        Wide term = r, sum = r;
        for (int k = 2; k < ExpTerms - 3; k++)
        {
            term = Wide.Quotient(Wide.Product(term, r), k);
            sum = Wide.Sum(sum, term);
        }

        // (1 + s)² − 1 = 2 s + s².
        for (int i = 0; i < Halvings; i++)
        {
            sum = Wide.Sum(new Wide(2 * sum.High, 2 * sum.Low), Wide.Product(sum, sum));
        }

        Wide power = Wide.Sum(Wide.Exact(1), sum);
        double scale = PowerOfTwo((int)n);
        return new Wide(power.High * scale, power.Low * scale);
    }

    /// <summary>A sum of two doubles of which the second is at most half a unit of the first one's last place: about 106 bits (T. J. Dekker, 1971).</summary>
    private readonly record struct Wide(double High, double Low)
    {
        public static Wide Exact(double x) => new(x, 0);

        public static Wide operator -(Wide a) => new(-a.High, -a.Low);

        public static Wide Sum(Wide a, Wide b)
        {
            Wide high = TwoSum(a.High, b.High), low = TwoSum(a.Low, b.Low);
            high = QuickSum(high.High, high.Low + low.High);
            return QuickSum(high.High, high.Low + low.Low);
        }

        public static Wide Product(double a, double b)
        {
            double high = a * b;
            return new Wide(high, Math.FusedMultiplyAdd(a, b, -high));
        }

        public static Wide Product(Wide a, double b)
        {
            Wide high = Product(a.High, b);
            return QuickSum(high.High, Math.FusedMultiplyAdd(a.Low, b, high.Low));
        }

        public static Wide Product(Wide a, Wide b)
        {
            Wide high = Product(a.High, b.High);
            return QuickSum(high.High, high.Low + Math.FusedMultiplyAdd(a.High, b.Low, a.Low * b.High));
        }

        public static Wide Quotient(Wide a, double b)
        {
            double high = a.High / b;
            return QuickSum(high, (Math.FusedMultiplyAdd(-high, b, a.High) + a.Low) / b);
        }

        private static Wide TwoSum(double a, double b)
        {
            double sum = a + b, other = sum - a;
            return new Wide(sum, (a - (sum - other)) + (b - other));
        }

        private static Wide QuickSum(double a, double b)
        {
            double sum = a + b;
            return new Wide(sum, b - (sum - a));
        }
    }
}
