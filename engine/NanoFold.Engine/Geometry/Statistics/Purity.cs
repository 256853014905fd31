namespace NanoFold.Engine.Geometry.Statistics;

/// <summary>
/// How much a choice says of a class: mutual information I(class; choice) ÷ H(class), less what a table of so few counts has of it by chance,
/// (C − 1)(E − 1)/(2N) nats (Miller 1955), C and E the classes and choices that occur. 1 where every class has a choice of its own, 0 where they are independent.
/// </summary>
public sealed record Purity
{
    /// <summary>TooFewPoints without two classes.</summary>
    public required GeometryStatus Status { get; init; }

    /// <summary>N: points with a class.</summary>
    public required int Points { get; init; }

    /// <summary>C, classes that occur.</summary>
    public int Classes { get; init; }

    /// <summary>E, choices that occur.</summary>
    public int Choices { get; init; }

    /// <summary>(I − bias)/H(class). May fall slightly below 0; null when <see cref="Status"/> is not Ok.</summary>
    public double? Corrected { get; init; }

    /// <summary>I/H(class).</summary>
    public double? Uncorrected { get; init; }

    /// <summary>(C − 1)(E − 1)/(2N) ÷ H(class).</summary>
    public double? Bias { get; init; }

    /// <summary>Measures pairs; those whose class is negative have none and are left out.</summary>
    /// <param name="classes">Of each point.</param>
    /// <param name="choices">Of each point.</param>
    public static Purity Measure(ReadOnlySpan<int> classes, ReadOnlySpan<int> choices)
    {
        if (classes.Length != choices.Length)
        {
            throw new ArgumentException($"Purity: {classes.Length} classes and {choices.Length} choices.");
        }

        Dictionary<int, int> ofClass = [], ofChoice = [];
        Dictionary<(int Class, int Choice), int> both = [];
        int points = 0;
        for (int i = 0; i < classes.Length; i++)
        {
            if (classes[i] >= 0)
            {
                points++;
                Count(ofClass, classes[i]);
                Count(ofChoice, choices[i]);
                Count(both, (classes[i], choices[i]));
            }
        }

        if (ofClass.Count < 2)
        {
            return new Purity { Status = GeometryStatus.TooFewPoints, Points = points, Classes = ofClass.Count, Choices = ofChoice.Count };
        }

        double entropy = Entropy(ofClass.Values, points);
        double information = Math.Max(0, entropy + Entropy(ofChoice.Values, points) - Entropy(both.Values, points));
        double bias = (ofClass.Count - 1.0) * (ofChoice.Count - 1.0) / (2.0 * points);
        return new Purity
        {
            Status = GeometryStatus.Ok,
            Points = points,
            Classes = ofClass.Count,
            Choices = ofChoice.Count,
            Corrected = (information - bias) / entropy,
            Uncorrected = information / entropy,
            Bias = bias / entropy,
        };
    }

    /// <summary>The same with the choices dealt out anew: what there is without any connection.</summary>
    public static Purity Shuffled(ReadOnlySpan<int> classes, ReadOnlySpan<int> choices, ulong seed)
    {
        int[] dealt = choices.ToArray();
        new GaussianSource(seed).Shuffle<int>(dealt);
        return Measure(classes, dealt);
    }

    private static void Count<T>(Dictionary<T, int> counts, T key)
        where T : notnull
        => counts[key] = counts.GetValueOrDefault(key) + 1;

    private static double Entropy(IEnumerable<int> counts, int total)
    {
        double sum = 0;
        foreach (int count in counts)
        {
            sum -= (double)count / total * Math.Log((double)count / total);
        }

        return sum;
    }
}
