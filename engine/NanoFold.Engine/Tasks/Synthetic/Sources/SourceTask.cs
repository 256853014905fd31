using System.Buffers;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>Symbols of a source that is known, each asked for the next.</summary>
public abstract record SourceTaskConfig : LabelledTaskConfig
{
    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <summary>Of making the tables of the source.</summary>
    private protected LongWork WorkOf(TaskContext context) => new(context, $"{Kind}: how often what is in its table is met in a long sequence …");
}

/// <summary>
/// The next symbol of a source that is known. Scored beside the loss are <c>sourceLoss</c>, what the source itself needs for the same symbols, and <c>excess</c>, the
/// loss above that: 0 is as good as can be.
/// </summary>
/// <param name="config">How many rows there are to validate with.</param>
/// <param name="context">The length of rows, and the seed.</param>
/// <param name="source">Where the symbols come from.</param>
internal abstract class SourceTask(SourceTaskConfig config, TaskContext context, Source source) : LabelledTask(config, context)
{
    public override int Vocab => source.Symbols;

    public override double? LossOfGuessing => Math.Log(source.Symbols);

    public override TaskScore NewScore() => new SourceScore(source);

    public override IReadOnlyList<Score> Best()
    {
        var score = new SourceScore(source);
        foreach (BatchRows row in HeldBackRows())
        {
            score.AddSource(row);
        }

        return score.SourceLoss is var loss && double.IsNaN(loss) ? [] : [new Score("loss", loss), new Score(SourceScore.Excess, 0)];
    }

    protected sealed override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        int[] rented = ArrayPool<int>.Shared.Rent(tokens.Length + 1);
        Span<int> all = rented.AsSpan(0, tokens.Length + 1);
        source.Draw(ref draws, all);
        all[..^1].CopyTo(tokens);
        all[1..].CopyTo(targets);
        ArrayPool<int>.Shared.Return(rented);
        return targets.Length;
    }
}

/// <summary>The loss, and that of the source at the same places.</summary>
internal class SourceScore(Source source) : TargetScore
{
    /// <summary>The names of the source's loss, and of that above it.</summary>
    public const string OfSource = "sourceLoss", Excess = "excess";

    private int[] _symbols = [];
    private double _sum;
    private long _count;

    /// <summary>Nats per symbol of the source; NaN where there were none.</summary>
    public double SourceLoss => _count > 0 ? _sum / _count : double.NaN;

    /// <inheritdoc/>
    public override void Begin()
    {
        base.Begin();
        (_sum, _count) = (0, 0);
    }

    /// <inheritdoc/>
    public override void Add(BatchRows batch, ScoredValues scored)
    {
        // The most likely symbol says little about a source: no accuracy.
        Add(batch, scored.Reals(0), []);
        AddSource(batch);
    }

    /// <inheritdoc/>
    public override Evaluation Result()
    {
        Evaluation result = base.Result();
        return result with { Scores = [.. result.Scores ?? [], new Score(OfSource, SourceLoss), new Score(Excess, result.Loss - SourceLoss)] };
    }

    /// <summary>Adds what the source needs for the rows of a batch.</summary>
    public void AddSource(BatchRows batch)
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
                _sum += source.Nats(_symbols);
                _count += time;
            }
        }
    }
}
