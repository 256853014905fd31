using System.Text;

namespace NanoFold.Tests.Suites;

/// <summary>Random numbers that depend on a name only, and comparisons of arrays.</summary>
internal static class Numbers
{
    /// <summary>Uniform in [low, high], each exact in float32.</summary>
    public static double[] Uniform(string name, long count, double low, double high)
    {
        ulong key = Key(name);
        return [.. Enumerable.Range(0, checked((int)count)).Select(i => (double)(float)(low + (high - low) * Fraction(key, i)))];
    }

    /// <summary>Whole numbers in [low, high).</summary>
    public static int[] Integers(string name, long count, int low, int high)
    {
        ulong key = Key(name);
        return [.. Enumerable.Range(0, checked((int)count)).Select(i => low + (int)Kernels.Philox.Below((ulong)(high - low), key, (ulong)i, 0))];
    }

    /// <summary>The largest difference, relative to the largest magnitude of what is expected; infinite where something is not a number.</summary>
    public static double RelativeError(double[] actual, double[] expected)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        double largest = expected.Length == 0 ? 1 : expected.Max(Math.Abs), worst = 0;
        for (int i = 0; i < actual.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            worst = double.IsNaN(error) ? double.PositiveInfinity : Math.Max(worst, error);
        }

        return worst == 0 ? 0 : worst / Math.Max(largest, double.Epsilon);
    }

    public static void AssertClose(double[] actual, double[] expected, double tolerance, string what)
    {
        double error = RelativeError(actual, expected);
        if (!(error <= tolerance))
        {
            int worst = Enumerable.Range(0, actual.Length).MaxBy(i => double.IsNaN(actual[i]) ? double.MaxValue : Math.Abs(actual[i] - expected[i]));
            Assert.Fail($"{what}: off by {error:g3} of the largest magnitude, more than {tolerance:g3}; element {worst} is {actual[worst]:g9}, expected {expected[worst]:g9}");
        }
    }

    public static void AssertSameBits(double[] actual, double[] expected, string what)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            if (BitConverter.DoubleToInt64Bits(actual[i]) != BitConverter.DoubleToInt64Bits(expected[i]))
            {
                Assert.Fail($"{what}: element {i} is {actual[i]:r}, expected the bits of {expected[i]:r}");
            }
        }
    }

    private static double Fraction(ulong key, int i) => Kernels.Philox.Below(1UL << 53, key, (ulong)i, 0) / (double)(1L << 53);

    /// <summary>x · Φ(x), Φ by Simpson's rule over the density.</summary>
    public static double Gelu(double x)
    {
        const int Steps = 1000;
        double h = x / Steps, sum = 0;
        for (int i = 0; i <= Steps; i++)
        {
            sum += (i is 0 or Steps ? 1 : i % 2 == 0 ? 2 : 4) * Math.Exp(-h * i * h * i / 2);
        }

        return x * (0.5 + sum * h / 3 / Math.Sqrt(2 * Math.PI));
    }

    public static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    // FNV-1a.
    private static ulong Key(string name) => Encoding.UTF8.GetBytes(name).Aggregate(14695981039346656037UL, (hash, b) => (hash ^ b) * 1099511628211UL);
}
