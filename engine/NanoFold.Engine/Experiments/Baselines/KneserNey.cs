namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>
/// An n-gram model: interpolated Kneser-Ney with three discounts (Chen and Goodman, An Empirical Study of Smoothing Techniques for Language Modeling, 1998). With h the
/// tokens before w and h' the same without the first,
/// <code>p(w | h) = max(c(h w) − D(c(h w)), 0) / Σ_v c(h v) + (D₁ N₁(h) + D₂ N₂(h) + D₃ N₃₊(h)) / Σ_v c(h v) · p(w | h')</code>
/// where c counts sequences of full length, and of shorter ones the different tokens before them; N_i(h) counts the v with c(h v) = i; and below single tokens stands 1 / V. The
/// discounts follow from how many sequences there are of 1, 2, 3 and 4; where that gives none (a small alphabet), they are ½, 1 and 1½.
/// </summary>
/// <remarks>
/// Nothing is kept but what the asked places need: an order is counted, its share is added, and the next shorter one is counted from it. Two orders are held at a time, at most
/// 24 bytes for each different sequence.
/// </remarks>
internal static class KneserNey
{
    /// <summary>Tokens of the longest sequence, the predicted one included.</summary>
    public const int Order = 5;

    /// <summary>The probabilities of tokens after those before them.</summary>
    /// <param name="train">The tokens that are counted, one stream.</param>
    /// <param name="vocab">V: tokens are in [0, V).</param>
    /// <param name="text">Where the asked tokens stand.</param>
    /// <param name="asked">Their places in it, and how many of the tokens before them are known.</param>
    /// <param name="order">Tokens of the longest sequence; shorter where there are fewer to train on.</param>
    /// <param name="cancel">Looked at between two orders.</param>
    public static double[] Probabilities(ReadOnlySpan<int> train, int vocab, ReadOnlySpan<int> text, IReadOnlyList<(int Place, int Known)> asked, int order = Order, CancellationToken cancel = default)
    {
        int[] tokens = [.. train, .. text];
        order = Math.Min(order, train.Length);
        var probabilities = new double[asked.Count];
        var weights = new double[asked.Count];
        Array.Fill(weights, 1);
        GramTable? counts = null;
        for (int length = order; length > 0; length--)
        {
            cancel.ThrowIfCancellationRequested();
            counts = counts is null ? Whole(tokens, train.Length, length) : Shorter(tokens, length, counts);
            AddShare(tokens, train.Length, length, counts, asked, probabilities, weights);
        }

        for (int i = 0; i < probabilities.Length; i++)
        {
            probabilities[i] += weights[i] / vocab;
        }

        return probabilities;
    }

    /// <summary>D₁, D₂ and D₃ from the number of sequences that are counted once, twice, three and four times.</summary>
    public static (double One, double Two, double More) Discounts(long n1, long n2, long n3, long n4)
    {
        double y = (double)n1 / (n1 + (2 * n2)), one = 1 - (2 * y * n2 / n1), two = 2 - (3 * y * n3 / n2), more = 3 - (4 * y * n4 / n3);
        return one is >= 0 and <= 1 && two is >= 0 and <= 2 && more is >= 0 and <= 3 ? (one, two, more) : (0.5, 1, 1.5);
    }

    // How often each sequence stands in what is trained on.
    private static GramTable Whole(int[] tokens, int trained, int length)
    {
        var counts = new GramTable(tokens, length);
        for (int start = 0; start + length <= trained; start++)
        {
            counts.At(start)++;
        }

        return counts;
    }

    // How many different tokens each sequence is after: of each sequence longer by one, what it ends in.
    private static GramTable Shorter(int[] tokens, int length, GramTable longer)
    {
        var counts = new GramTable(tokens, length);
        foreach ((int start, _) in longer.All())
        {
            counts.At(start + 1)++;
        }

        return counts;
    }

    private static void AddShare(int[] tokens, int trained, int length, GramTable counts, IReadOnlyList<(int Place, int Known)> asked, double[] probabilities, double[] weights)
    {
        // The histories that are asked for, each once, and what follows them.
        var histories = new GramTable(tokens, length - 1);
        foreach ((int place, int known) in asked)
        {
            if (known >= length - 1)
            {
                ref int number = ref histories.At(trained + place - length + 1);
                number = number == 0 ? histories.Count : number;
            }
        }

        var followers = new Followers[histories.Count + 1];
        Span<long> counted = stackalloc long[5];
        foreach ((int start, int count) in counts.All())
        {
            counted[Math.Min(count, 5) - 1]++;
            followers[histories.Of(start, otherwise: 0)].Add(count);
        }

        (double one, double two, double more) = Discounts(counted[0], counted[1], counted[2], counted[3]);
        for (int i = 0; i < asked.Count; i++)
        {
            (int place, int known) = asked[i];
            if (known < length - 1)
            {
                continue;
            }

            int start = trained + place - length + 1;
            ref readonly Followers after = ref followers[histories.Of(start, otherwise: 0)];
            if (after.Sum > 0)
            {
                int count = counts.Of(start, otherwise: 0);
                double discount = count switch { 0 => 0, 1 => one, 2 => two, _ => more };
                probabilities[i] += weights[i] * (count - discount) / after.Sum;
                weights[i] *= ((one * after.Once) + (two * after.Twice) + (more * after.More)) / after.Sum;
            }
        }
    }

    // What follows a history.
    private struct Followers
    {
        public long Sum;
        public int Once;
        public int Twice;
        public int More;

        public void Add(int count)
        {
            Sum += count;
            Once += count == 1 ? 1 : 0;
            Twice += count == 2 ? 1 : 0;
            More += count > 2 ? 1 : 0;
        }
    }
}
