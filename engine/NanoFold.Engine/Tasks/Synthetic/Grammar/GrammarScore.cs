namespace NanoFold.Engine.Tasks;

/// <summary>
/// The loss and that of the source; for each construction the share of its places at which the right form has the largest logit of the forms that there are: of a verb of two,
/// of what refers of four, of places of all.
/// </summary>
/// <param name="words">The language.</param>
internal sealed class GrammarScore(GrammarWords words) : SourceScore
{
    private static readonly string[] s_names = [.. Enum.GetNames<GrammarAsked>().Select(name => char.ToLowerInvariant(name[0]) + name[1..] + "Accuracy")];

    private readonly long[] _right = new long[s_names.Length];
    private readonly long[] _asked = new long[s_names.Length];

    // Places that a rule or a fact decides.
    private long Asked => _asked.Skip(1).Sum();

    public override void Begin()
    {
        base.Begin();
        Array.Clear(_right);
        Array.Clear(_asked);
    }

    /// <inheritdoc/>
    /// <remarks>Gets the loss of each place [B, T], and the logits of the language's words [B, T, words].</remarks>
    public override void Add(BatchRows batch, ScoredValues scored)
    {
        base.Add(batch, scored);
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets), groups = batch.Integers(BatchField.Groups);
        ReadOnlySpan<float> logits = scored.Reals(1);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0 && groups[i] > 0 && IsLargest(logits.Slice(i * words.Count, words.Count), targets[i]))
            {
                _right[groups[i]]++;
            }
        }
    }

    public override void AddSource(BatchRows batch)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets), groups = batch.Integers(BatchField.Groups);
        ReadOnlySpan<float> nats = batch.Reals(GrammarWriter.Nats);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                AddSource(nats[i], 1);
                _asked[groups[i]]++;
            }
        }
    }

    public override IReadOnlyList<Score> Best(IEnumerable<BatchRows> rows)
    {
        IReadOnlyList<Score> best = base.Best(rows);
        return Asked > 0 ? [.. best, new(Evaluation.Accuracy, 1)] : best;
    }

    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        IEnumerable<Score> all = Asked > 0 ? [new Score(Evaluation.Accuracy, (double)_right.Skip(1).Sum() / Asked)] : [];
        IEnumerable<Score> each = Enumerable.Range(1, s_names.Length - 1).Where(i => _asked[i] > 0).Select(i => new Score(s_names[i], (double)_right[i] / _asked[i]));
        return result with { Scores = [.. all, .. each, .. result.Scores!] };
    }

    private bool IsLargest(ReadOnlySpan<float> logits, int target)
    {
        (int first, int count) = words.Forms(target);
        for (int form = first; form < first + count; form++)
        {
            if (form != target && !(logits[target] > logits[form]))
            {
                return false;
            }
        }

        return true;
    }
}
