namespace NanoFold.Engine.Tasks;

/// <summary>The loss, and that of a source that is known at the same places.</summary>
internal abstract class SourceScore : TargetScore
{
    /// <summary>The names of the source's loss, and of that above it.</summary>
    public const string OfSource = "sourceLoss", Excess = "excess";

    private double _nats;
    private long _count;

    /// <summary>Nats per token of the source; NaN where there were none.</summary>
    public double SourceLoss => _count > 0 ? _nats / _count : double.NaN;

    /// <inheritdoc/>
    public override void Begin()
    {
        base.Begin();
        (_nats, _count) = (0, 0);
    }

    /// <inheritdoc/>
    public override void Add(BatchRows batch, ScoredValues scored)
    {
        // The most likely token says little about a source: no accuracy.
        Add(batch, scored.Reals(0), []);
        AddSource(batch);
    }

    /// <inheritdoc/>
    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        return result with { Scores = [.. result.Scores ?? [], new Score(OfSource, SourceLoss), new Score(Excess, result.Loss - SourceLoss)] };
    }

    /// <summary>What the source itself scores on rows: no model can do better on average. Empty where nothing is asked in them.</summary>
    public virtual IReadOnlyList<Score> Best(IEnumerable<BatchRows> rows)
    {
        Begin();
        foreach (BatchRows batch in rows)
        {
            AddSource(batch);
        }

        return _count > 0 ? [new("loss", SourceLoss), new(Excess, 0)] : [];
    }

    /// <summary>Adds what the source needs for the rows of a batch.</summary>
    public abstract void AddSource(BatchRows batch);

    /// <summary>Adds what the source needs for so many tokens.</summary>
    protected void AddSource(double nats, int count) => (_nats, _count) = (_nats + nats, _count + count);
}

/// <summary>The loss on symbols, and that of the source that draws them.</summary>
/// <param name="source">The source.</param>
internal class SymbolScore(Source source) : SourceScore
{
    private int[] _symbols = [];

    /// <inheritdoc/>
    public override void AddSource(BatchRows batch)
    {
        int time = batch.Integers(BatchField.Tokens).Length / batch.Rows;
        Array.Resize(ref _symbols, time + 1);
        for (int row = 0; row < batch.Rows; row++)
        {
            ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets).Slice(row * time, time);
            // Rows after the last have no targets.
            if (targets[0] >= 0)
            {
                _symbols[0] = batch.Integers(BatchField.Tokens)[row * time];
                targets.CopyTo(_symbols.AsSpan(1));
                AddSource(source.Nats(_symbols), time);
            }
        }
    }
}
