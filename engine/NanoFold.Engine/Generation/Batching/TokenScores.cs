namespace NanoFold.Engine.Generation.Batching;

/// <summary>A token and the logarithm of its probability.</summary>
public readonly record struct TokenScore(int Token, double LogProbability);

/// <summary>
/// What a model thought of a token where it was drawn: ln p of the model's own distribution over the tokenizer's tokens, before any penalty, temperature or cut.
/// </summary>
/// <param name="LogProbability">Of the token that was drawn.</param>
/// <param name="Likeliest">The likeliest tokens, the likeliest first; as many as were asked for.</param>
public sealed record TokenScores(double LogProbability, IReadOnlyList<TokenScore> Likeliest)
{
    /// <summary>ln p of a token = l − ln Σ exp l, in double, and the likeliest; among equal logits the smaller id first.</summary>
    /// <param name="logits">[V].</param>
    /// <param name="token">The one that was drawn.</param>
    /// <param name="likeliest">How many of the likeliest.</param>
    public static TokenScores Of(ReadOnlySpan<float> logits, int token, int likeliest)
    {
        double normalizer = Normalizer(logits);
        return new TokenScores(logits[token] - normalizer, Largest(logits, Math.Min(likeliest, logits.Length), normalizer));
    }

    private static double Normalizer(ReadOnlySpan<float> logits)
    {
        float largest = float.NegativeInfinity;
        foreach (float logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp((double)logit - largest);
        }

        return largest + Math.Log(sum);
    }

    private static TokenScore[] Largest(ReadOnlySpan<float> logits, int count, double normalizer)
    {
        var tokens = new List<int>(count + 1);
        for (int i = 0; i < logits.Length && count > 0; i++)
        {
            if (tokens.Count == count && logits[i] <= logits[tokens[^1]])
            {
                continue;
            }

            int place = tokens.Count;
            while (place > 0 && logits[tokens[place - 1]] < logits[i])
            {
                place--;
            }

            tokens.Insert(place, i);
            if (tokens.Count > count)
            {
                tokens.RemoveAt(count);
            }
        }

        var scores = new TokenScore[tokens.Count];
        for (int i = 0; i < scores.Length; i++)
        {
            scores[i] = new TokenScore(tokens[i], logits[tokens[i]] - normalizer);
        }

        return scores;
    }
}
