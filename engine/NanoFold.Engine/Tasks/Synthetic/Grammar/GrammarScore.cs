namespace NanoFold.Engine.Tasks;

/// <summary>
/// The loss and that of the source; for each construction the share of its places at which the right form has the largest logit of the forms that there are: of a verb of two,
/// of what refers of four, of places of all.
/// </summary>
/// <param name="words">The language.</param>
internal sealed class GrammarScore(GrammarWords words) : TargetScore
{
    private static readonly string[] s_names = [.. Enum.GetNames<GrammarAsked>().Select(name => char.ToLowerInvariant(name[0]) + name[1..] + "Accuracy")];

    private readonly (long Right, long Count)[] _asked = new (long, long)[s_names.Length];
    private double _nats;
    private long _count;

    /// <summary>Nats per token of the source; NaN where there were none.</summary>
    public double SourceLoss => _count > 0 ? _nats / _count : double.NaN;

    /// <summary>Whether anything was asked for that a rule or a fact decides.</summary>
    public bool IsAsked => _asked.Skip(1).Any(one => one.Count > 0);

    public override void Begin()
    {
        base.Begin();
        Array.Clear(_asked);
        (_nats, _count) = (0, 0);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        Add(batch, scored.Reals(0), []);
        AddSource(batch, scored.Reals(1));
    }

    /// <summary>Adds what the source needs for the rows of a batch.</summary>
    public void AddSource(BatchRows batch) => AddSource(batch, []);

    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        long right = _asked.Skip(1).Sum(one => one.Right), count = _asked.Skip(1).Sum(one => one.Count);
        IEnumerable<Score> accuracies = Enumerable.Range(1, s_names.Length - 1).Where(i => _asked[i].Count > 0).Select(i => new Score(s_names[i], (double)_asked[i].Right / _asked[i].Count));
        IEnumerable<Score> all = count > 0 ? [new Score(Evaluation.Accuracy, (double)right / count)] : [];
        return result with { Scores = [.. all, .. accuracies, new Score(SourceScore.OfSource, SourceLoss), new Score(SourceScore.Excess, result.Loss - SourceLoss)] };
    }

    private void AddSource(BatchRows batch, ReadOnlySpan<float> logits)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets), groups = batch.Integers(BatchField.Groups);
        ReadOnlySpan<float> nats = batch.Reals(GrammarWriter.Nats);
        int vocab = logits.Length / targets.Length;
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                _nats += nats[i];
                _count++;
                bool isRight = vocab > 0 && groups[i] > 0 && IsLargest(logits.Slice(i * vocab, vocab), targets[i]);
                _asked[groups[i]] = (_asked[groups[i]].Right + (isRight ? 1 : 0), _asked[groups[i]].Count + 1);
            }
        }
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
