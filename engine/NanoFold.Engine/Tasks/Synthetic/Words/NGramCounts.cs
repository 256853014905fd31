namespace NanoFold.Engine.Tasks;

/// <summary>
/// How often a token follows those before it, with shorter contexts where longer ones are rare (Witten and Bell):
/// p_n(w | h) = (c(h w) + d(h) · p_(n − 1)(w | h')) / (c(h) + d(h)), c counted, d(h) how many different tokens follow h, h' without its first token, p_0 = 1 / V.
/// </summary>
/// <param name="order">Tokens of the longest gram: those before one, and itself.</param>
/// <param name="symbols">V.</param>
internal sealed class NGramCounts(int order, int symbols)
{
    // For each length of a context: by the number that its tokens are as digits, how often each token follows.
    private readonly Dictionary<long, int[]>[] _counts = [.. Enumerable.Range(0, order).Select(_ => new Dictionary<long, int[]>())];

    /// <summary>Counts a sequence.</summary>
    public void Count(ReadOnlySpan<int> tokens)
    {
        for (int t = 1; t < tokens.Length; t++)
        {
            for (int length = 0; length < order && length <= t; length++)
            {
                long context = Context(tokens[..t], length);
                if (!_counts[length].TryGetValue(context, out int[]? after))
                {
                    _counts[length][context] = after = new int[symbols];
                }

                after[tokens[t]]++;
            }
        }
    }

    /// <summary>What follows each token of a sequence: −ln p of the targets, and the most likely tokens.</summary>
    public void Predict(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, Span<float> losses, Span<int> predicted)
    {
        double[] p = new double[symbols];
        for (int t = 0; t < tokens.Length; t++)
        {
            Array.Fill(p, 1.0 / symbols);
            for (int length = 0; length < order && length <= t + 1; length++)
            {
                if (_counts[length].TryGetValue(Context(tokens[..(t + 1)], length), out int[]? after))
                {
                    Refine(p, after);
                }
            }

            losses[t] = targets[t] >= 0 ? (float)-Math.Log(p[targets[t]]) : 0;
            predicted[t] = Array.IndexOf(p, p.Max());
        }
    }

    private static void Refine(double[] p, int[] after)
    {
        double sum = after.Sum(), different = after.Count(count => count > 0);
        for (int i = 0; i < p.Length; i++)
        {
            p[i] = (after[i] + (different * p[i])) / (sum + different);
        }
    }

    private long Context(ReadOnlySpan<int> tokens, int length)
    {
        long number = 0;
        foreach (int token in tokens[^length..])
        {
            number = (number * symbols) + token;
        }

        return number;
    }
}
