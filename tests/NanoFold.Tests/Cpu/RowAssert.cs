namespace NanoFold.Tests.Cpu;

internal static class RowAssert
{
    /// <summary>Each element within tolerance · max(1, |expected|).</summary>
    public static void Close(double[] actual, double[] expected, double tolerance, string what)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            if (!(Math.Abs(actual[i] - expected[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i]))))
            {
                Assert.Fail($"{what}[{i}] is {actual[i]:R}, expected {expected[i]:R} within {tolerance:R}");
            }
        }
    }

    /// <summary>Compares a gradient with central differences of <paramref name="loss"/>, which reads the operand.</summary>
    public static void Gradient(Operand x, double[] gradient, Func<double> loss, string what, double step = 1e-5, double tolerance = 2e-8)
    {
        for (int i = 0; i < gradient.Length; i++)
        {
            double value = x[i];
            x[i] = value + step;
            double above = loss();
            x[i] = value - step;
            double below = loss();
            x[i] = value;
            double expected = (above - below) / (2 * step);
            Assert.That(gradient[i], Is.EqualTo(expected).Within(tolerance * Math.Max(1, Math.Abs(expected))), $"{what}[{i}]");
        }
    }

    /// <summary>
    /// After a first call, none allocates on the calling thread. The least of a few rounds counts: when threads of the pool
    /// first collide, the runtime's locks allocate once, which is not the kernel's doing.
    /// </summary>
    public static void AllocatesNothing(Action call)
    {
        call();
        long least = long.MaxValue;
        for (int round = 0; round < 5 && least != 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 5; i++)
            {
                call();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.That(least, Is.Zero);
    }

    /// <summary>Compares buffers as a whole; constraints over byte arrays would take most of a test's time.</summary>
    public static void SameBits(byte[][] actual, byte[][] expected)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        for (int i = 0; i < actual.Length; i++)
        {
            if (!actual[i].AsSpan().SequenceEqual(expected[i]))
            {
                Assert.Fail($"buffer {i} differs from byte {actual[i].AsSpan().CommonPrefixLength(expected[i])} on");
            }
        }
    }

    public static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
