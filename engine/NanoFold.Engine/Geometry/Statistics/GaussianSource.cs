namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>Standard normal numbers from a seed: SplitMix64 (Steele, Lea and Flood 2014) and Box–Muller.</summary>
internal sealed class GaussianSource(ulong seed)
{
    private ulong _state = seed;
    private double _spare = double.NaN;

    /// <summary>Mixes a seed with a number, so that streams of one seed are independent.</summary>
    public static ulong Mix(ulong seed, ulong stream) =>
        new GaussianSource(seed + (stream * 0xD1B54A32D192ED03)).NextBits();

    /// <summary>Uniform in (0, 1).</summary>
    public double NextUniform() => ((NextBits() >> 11) + 0.5) * (1.0 / (1UL << 53));

    /// <summary>Uniform in 0 … <paramref name="bound"/> − 1.</summary>
    public int NextInt(int bound) => (int)(NextUniform() * bound);

    /// <summary>A standard normal number.</summary>
    public double NextNormal()
    {
        if (!double.IsNaN(_spare))
        {
            double spare = _spare;
            _spare = double.NaN;
            return spare;
        }

        double radius = Math.Sqrt(-2 * Math.Log(NextUniform()));
        (double sine, double cosine) = Math.SinCos(2 * Math.PI * NextUniform());
        _spare = radius * sine;
        return radius * cosine;
    }

    /// <summary>Fills with standard normal numbers.</summary>
    public void FillNormal(Span<float> values)
    {
        foreach (ref float value in values)
        {
            value = (float)NextNormal();
        }
    }

    /// <summary>0 … count − 1 in an order drawn at random.</summary>
    public int[] Order(int count)
    {
        int[] order = [.. Enumerable.Range(0, count)];
        Shuffle<int>(order);
        return order;
    }

    /// <summary>Puts values into an order drawn at random (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int j = NextInt(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    private ulong NextBits()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
