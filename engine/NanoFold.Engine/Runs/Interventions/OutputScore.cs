using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Interventions;

/// <summary>
/// Scores what a task scores, and reads the logits: the mean probability of chosen tokens over the places that count, and how far the distributions there are from
/// those of a run before.
/// </summary>
/// <param name="inner">What the task scores.</param>
/// <param name="onlyLast">Only the last place of a row counts; otherwise those with a target.</param>
internal sealed class OutputScore(TaskScore inner, bool onlyLast) : TaskScore, ITapReader
{
    // Of log-probabilities that are kept for comparison.
    private const long MostKept = 1L << 25;

    private readonly List<float[]> _kept = [];
    private float[] _logits = [];
    private double[] _sums = [];
    private double _divergence;
    private long _places;
    private long _floats;
    private int _next;

    public string Pattern => "hook_logits";

    /// <summary>The tokens whose probabilities are wanted.</summary>
    public IReadOnlyList<int> Tokens { get; set; } = [];

    /// <summary>Whether the run that follows is what later ones are compared with.</summary>
    public bool IsReference { get; set; }

    /// <summary>Mean probability of each of <see cref="Tokens"/>.</summary>
    public double[] Probabilities => [.. _sums.Select(sum => sum / _places)];

    /// <summary>Mean Kullback–Leibler divergence in nats of the reference's distribution to this one's; null where the reference was too large to keep.</summary>
    public double? Divergence => _floats > MostKept ? null : _divergence / _places;

    /// <summary>The distribution of the last place that counted.</summary>
    public double[] Last { get; private set; } = [];

    public override bool IsOfPlaces => inner.IsOfPlaces;

    public override void Begin()
    {
        inner.Begin();
        (_sums, _divergence, _places, _next) = (new double[Tokens.Count], 0, 0, 0);
        if (IsReference)
        {
            _kept.Clear();
            _floats = 0;
        }
    }

    public void Read(TapValue value)
    {
        _logits = _logits.Length == value.Count ? _logits : new float[value.Count];
        value.CopyTo(_logits);
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        inner.Add(batch, scored);
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
        int vocab = _logits.Length / targets.Length, time = targets.Length / batch.Rows;
        for (int i = 0; i < targets.Length; i++)
        {
            if (onlyLast ? i % time == time - 1 : targets[i] >= 0)
            {
                AddPlace(_logits.AsSpan(i * vocab, vocab));
            }
        }
    }

    public override Evaluation Result() => inner.Result();

    private void AddPlace(ReadOnlySpan<float> logits)
    {
        double most = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits)
        {
            most = Math.Max(most, logit);
        }

        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - most);
        }

        double normalizer = most + Math.Log(sum);
        _places++;
        for (int i = 0; i < Tokens.Count; i++)
        {
            _sums[i] += Math.Exp(logits[Tokens[i]] - normalizer);
        }

        if (onlyLast)
        {
            Last = new double[logits.Length];
            for (int v = 0; v < Last.Length; v++)
            {
                Last[v] = Math.Exp(logits[v] - normalizer);
            }
        }

        Compare(logits, normalizer);
    }

    private void Compare(ReadOnlySpan<float> logits, double normalizer)
    {
        if (IsReference)
        {
            _floats += logits.Length;
            if (_floats <= MostKept)
            {
                var kept = new float[logits.Length];
                for (int v = 0; v < kept.Length; v++)
                {
                    kept[v] = (float)(logits[v] - normalizer);
                }

                _kept.Add(kept);
            }
        }
        else if (_floats <= MostKept)
        {
            float[] before = _kept[_next++];
            for (int v = 0; v < before.Length; v++)
            {
                _divergence += Math.Exp(before[v]) * (before[v] - (logits[v] - normalizer));
            }
        }
    }
}
