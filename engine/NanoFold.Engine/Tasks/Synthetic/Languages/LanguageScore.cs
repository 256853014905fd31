namespace NanoFold.Engine.Tasks;

/// <summary>
/// What RegBench scores (arXiv 2401.12973), beside loss and accuracy: how often the most likely symbol is one that the language allows, and how far what is predicted is from the
/// language's own distribution, ½ Σ |p − q|, in which what is allowed is alike likely.
/// </summary>
/// <param name="symbols">V, of which logits may have more.</param>
internal sealed class LanguageScore(int symbols) : TargetScore
{
    public const string Allowed = "allowed", TotalVariation = "totalVariation";

    private long _count;
    private long _allowed;
    private double _variation;

    public override void Begin()
    {
        base.Begin();
        (_count, _allowed, _variation) = (0, 0, 0);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        base.Add(batch, scored);
        ReadOnlySpan<int> allowed = batch.Integers(RegularLanguages.Allowed), predicted = scored.Integers(1);
        ReadOnlySpan<float> logits = scored.Reals(2);
        int vocab = logits.Length / allowed.Length;
        for (int i = 0; i < allowed.Length; i++)
        {
            if (allowed[i] >= 0)
            {
                _count++;
                _allowed += IsAllowed(allowed[i], predicted[i]) ? 1 : 0;
                _variation += Variation(logits.Slice(i * vocab, vocab), allowed[i]);
            }
        }
    }

    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        return result with { Scores = [.. result.Scores ?? [], new Score(Allowed, (double)_allowed / _count), new Score(TotalVariation, _variation / _count)] };
    }

    private bool IsAllowed(int allowed, int symbol) => symbol < symbols && (allowed >> symbol & 1) != 0;

    private double Variation(ReadOnlySpan<float> logits, int allowed)
    {
        double largest = double.NegativeInfinity, sum = 0, variation = 0, likely = 1.0 / int.PopCount(allowed);
        foreach (float logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        for (int symbol = 0; symbol < logits.Length; symbol++)
        {
            variation += Math.Abs((Math.Exp(logits[symbol] - largest) / sum) - (IsAllowed(allowed, symbol) ? likely : 0));
        }

        return variation / 2;
    }
}
