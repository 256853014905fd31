using System.Numerics.Tensors;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Network;
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
    private double[] _logs = [];
    private double[] _before = [];
    private double[] _sums = [];
    private double _divergence;
    private long _places;
    private int _next;

    public string Pattern => "hook_logits";

    /// <summary>The tokens whose probabilities are wanted.</summary>
    public IReadOnlyList<int> Tokens { get; set; } = [];

    /// <summary>Whether the run that follows is what later ones are compared with.</summary>
    public bool IsReference { get; set; }

    /// <summary>Mean probability of each of <see cref="Tokens"/>.</summary>
    public double[] Probabilities => [.. _sums.Select(sum => sum / _places)];

    /// <summary>Mean Kullback–Leibler divergence in nats of the reference's distribution to this one's, over the places that are compared; null where there are none.</summary>
    public double? Divergence => _kept.Count == 0 ? null : Math.Max(0, _divergence / _kept.Count);

    /// <summary>Places that are compared: the first ones, as many as there is room for.</summary>
    public long Compared => _kept.Count;

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
        if (_logs.Length != logits.Length)
        {
            (_logs, _before) = (new double[logits.Length], new double[logits.Length]);
        }

        TokenDistributions.LogSoftmax(logits, _logs);
        _places++;
        for (int i = 0; i < Tokens.Count; i++)
        {
            _sums[i] += Math.Exp(_logs[Tokens[i]]);
        }

        if (onlyLast)
        {
            Last = Array.ConvertAll(_logs, Math.Exp);
        }

        if (!IsReference)
        {
            if (_next < _kept.Count)
            {
                TensorPrimitives.ConvertChecked<float, double>(_kept[_next++], _before);
                _divergence += TokenDistributions.Divergence(_before, _logs);
            }
        }
        else if (_kept.Count == 0 || (_kept.Count + 1L) * logits.Length <= MostKept)
        {
            // One at least.
            _kept.Add(Array.ConvertAll(_logs, log => (float)log));
        }
    }
}
