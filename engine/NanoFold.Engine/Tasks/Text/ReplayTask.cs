using NanoFold.Engine.Autograd;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A task of text of whose rows a share are of an older text (<c>data.replay</c>), so that what was learned of it stays. What is held back of that is evaluated too, as
/// <c>replayLoss</c>; the loss is that of the task alone.
/// </summary>
internal sealed class ReplayTask : LearningTask
{
    // Keeps the draws apart from others keyed by the same seed.
    private const ulong Stream = 0x7265706C6179763A;
    private const string Replayed = "replayed";

    // Of the share as a whole number.
    private const int ShareBits = 53;

    private readonly LearningTask _own;
    private readonly TextTask _old;
    private readonly TaskContext _context;
    private readonly ulong _share;

    private ReplayTask(LearningTask own, TextTask old, TaskContext context) => (_own, _old, _context, _share) = (own, old, context, (ulong)(context.Data.ReplayShare * (1UL << ShareBits)));

    /// <summary>A task with the older text that the section <c>data</c> names; itself where it names none.</summary>
    /// <param name="own">Disposed with it.</param>
    /// <param name="context">What it was opened for.</param>
    /// <exception cref="UserException">The text cannot be read.</exception>
    public static LearningTask Of(LearningTask own, TaskContext context)
    {
        if (context.Data.Replay is not { } path)
        {
            return own;
        }

        try
        {
            DataConfig data = context.Data with { Path = path, Validation = null, MaskDocuments = own.Fields(1).Any(field => field is { Name: BatchField.Documents, IsInput: true }) };
            using Corpus corpus = Corpus.Open(path, data.Reading);
            var old = new TextTask(new TokenCache().Open(corpus, TokenizerSpec.Given(own.Tokenizer!), data, null, context.Note, context.Cancel), data, context.Seed ^ Stream);
            return new ReplayTask(own, old, context);
        }
        catch
        {
            own.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Name => _own.Name;

    /// <inheritdoc/>
    public override int Vocab => _own.Vocab;

    /// <inheritdoc/>
    public override string ContentHash => $"{_own.ContentHash} {_old.ContentHash}";

    /// <inheritdoc/>
    internal override Tokenizer? OfText => _own.OfText;

    /// <inheritdoc/>
    internal override string? ChatTemplate => _own.ChatTemplate;

    /// <inheritdoc/>
    public override LossUnit Unit => _own.Unit;

    /// <inheritdoc/>
    public override double? LossOfGuessing => _own.LossOfGuessing;

    /// <inheritdoc/>
    public override string? Doubt => _own.Doubt;

    /// <inheritdoc/>
    internal override IReadOnlyList<ScoreAxis> Axes => _own.Axes;

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time) => [.. _own.Fields(time), BatchField.OfScores(Replayed, time)];

    /// <inheritdoc/>
    public override void RequireRows(int time)
    {
        _own.RequireRows(time);
        _old.RequireRows(time);
    }

    /// <inheritdoc/>
    public override long Places(TaskSplit split) => split == TaskSplit.Validation ? _own.Places(split) + OldPlaces(_context.Model.Context) : _own.Places(split);

    /// <inheritdoc/>
    public override int Fill(in RowKey key, in BatchRow row)
    {
        if (!IsOld(key, row.Integers(BatchField.Tokens).Length, out RowKey of))
        {
            return _own.Fill(of, row);
        }

        row.Integers(Replayed).Fill(1);
        Span<int> positions = row.Integers(BatchField.Positions);
        for (int i = 0; i < positions.Length; i++)
        {
            positions[i] = i;
        }

        return _old.Fill(of, row);
    }

    /// <inheritdoc/>
    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch) => _own.RecordLoss(tape, model, batch);

    /// <inheritdoc/>
    public override Tensor RecordBody(Tape tape, Transformer model, BatchTensors batch) => _own.RecordBody(tape, model, batch);

    /// <inheritdoc/>
    public override TaskScore NewScore() => new Score(_own.NewScore());

    /// <inheritdoc/>
    public override IReadOnlyList<string> Show(in BatchRow row) => row.Integers(Replayed) is [1, ..] ? _old.Show(row) : _own.Show(row);

    /// <inheritdoc/>
    public override IEnumerable<string> Describe() =>
        [.. _own.Describe(), .. _old.Describe().Take(1).Select(line => FormattableString.Invariant($"{100 * _context.Data.ReplayShare:0.##} % of the rows are of {line}"))];

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _own.Dispose();
        _old.Dispose();
    }

    // Whether a row is of the older text, and which one it is of either. To train on, the n-th row is where ⌊n · share⌋ grows, so that the task's own come one after the other; those to validate with
    // stand after the task's own.
    private bool IsOld(in RowKey key, int time, out RowKey of)
    {
        of = key;
        if (key.Split == TaskSplit.Training)
        {
            long number = (key.Step * key.Rows * _context.Accumulate) + key.Number, old = Old(number);
            bool isOld = Old(number + 1) > old;
            of = isOld ? key : new RowKey(TaskSplit.Training, 0, 0, number - old, 1);
            return isOld;
        }

        long own = _own.Rows(key.Split, time);
        bool isAfter = key.Split == TaskSplit.Validation && key.Number >= own;
        of = isAfter ? RowKey.At(key.Split, key.Number - own) : key;
        return isAfter;
    }

    // Of so many rows.
    private long Old(long rows) => (long)(((UInt128)rows * _share) >> ShareBits);

    // As many as the task holds back, at most.
    private long OldPlaces(int time) => time * Math.Min(_old.Rows(TaskSplit.Validation, time), _own.Rows(TaskSplit.Validation, time));

    /// <summary>The scores of the task on its own rows, and the loss on those of the older text.</summary>
    private sealed class Score(TaskScore own) : TaskScore
    {
        private double _sum;
        private long _count;

        public override bool IsOfPlaces => own.IsOfPlaces;

        public override void Begin()
        {
            (_sum, _count) = (0, 0);
            own.Begin();
        }

        public override void Add(BatchRows batch, ScoredValues scored)
        {
            Span<int> targets = batch.Integers(BatchField.Targets);
            ReadOnlySpan<int> replayed = batch.Integers(Replayed);
            ReadOnlySpan<float> losses = scored.Reals(0);
            for (int i = 0; i < targets.Length; i++)
            {
                if (replayed[i] > 0)
                {
                    _sum += targets[i] >= 0 ? losses[i] : 0;
                    _count += targets[i] >= 0 ? 1 : 0;
                    targets[i] = -1;
                }
            }

            own.Add(batch, scored);
        }

        public override Evaluation Result()
        {
            Evaluation result = own.Result();
            return _count == 0 ? result : result with { Scores = [.. result.Scores ?? [], new Tasks.Score("replayLoss", _sum / _count)] };
        }
    }
}
