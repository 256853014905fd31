using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// What a model learns, opened from a <see cref="TaskConfig"/>: which fields a batch has, what stands in a row, what the loss is, what is scored. Text is one of them. Training,
/// evaluation, measurements and plans of memory know nothing else of it.
/// </summary>
public abstract class LearningTask : IDisposable
{
    /// <summary>For messages: a corpus, or what is made up.</summary>
    public abstract string Name { get; }

    /// <summary>Tokens that it uses at least; 0 where a model reads and writes none.</summary>
    public virtual int Vocab => 0;

    /// <summary>What decides it besides the configuration: a run goes on only where this is what it was. Of a file its hash.</summary>
    public virtual string ContentHash => "";

    /// <summary>Of text: models that are trained on it can write; null for every other task.</summary>
    public Tokenizer? Tokenizer => OfText;

    internal virtual Tokenizer? OfText => null;

    /// <summary>The chat template that its conversations are written with, as it is written; null where it has none of a model's.</summary>
    internal virtual string? ChatTemplate => null;

    /// <summary>What the loss is counted in.</summary>
    public virtual LossUnit Unit => LossUnit.NatsPerToken;

    /// <summary>The loss of one who knows nothing, told where a run has diverged; of losses that are code lengths, null where that is not known.</summary>
    public virtual double? LossOfGuessing => null;

    /// <summary>What <see cref="BatchField.Groups"/> of a place says, in a word such as <c>distance</c>: scores may be told apart by it; null where the task has no such field.</summary>
    public virtual string? GroupedBy => null;

    /// <summary>What the numbers of those groups stand for, for tables and charts; null where the name says it.</summary>
    public virtual string? GroupMeaning => null;

    /// <summary>Why evaluations are going to say little, in a line; null where they say what they should.</summary>
    public virtual string? Doubt => null;

    /// <summary>What a batch consists of whose rows have so many places; those with <see cref="BatchField.IsInput"/> reach the model.</summary>
    public abstract IReadOnlyList<BatchField> Fields(int time);

    /// <summary>Places of all rows of a split: their number times their length; 0 where there is nothing to validate with.</summary>
    /// <remarks>Rows of T places are ⌈places / T⌉. Of <see cref="TaskSplit.Probe"/> there is at least one place.</remarks>
    public abstract long Places(TaskSplit split);

    /// <summary>Throws where what there is to train on is shorter than a row of so many places.</summary>
    /// <exception cref="UserException">It is.</exception>
    public virtual void RequireRows(int time)
    {
    }

    /// <summary>Fills one row: a pure function of the key that allocates nothing.</summary>
    /// <param name="key">Which row.</param>
    /// <param name="row">To be filled; full of what its fields say.</param>
    /// <returns>How many places have a target: the loss is divided by those of all rows of a step.</returns>
    public abstract int Fill(in RowKey key, in BatchRow row);

    /// <summary>
    /// Records the loss of a batch, on a tape that trains as one of its losses: the heads of a model do that. Here it is the cross-entropy with
    /// <see cref="BatchField.Targets"/>, or where the model has a read-out the squared error to <see cref="BatchField.Values"/> where there are targets.
    /// </summary>
    /// <param name="tape">Where.</param>
    /// <param name="model">Whose.</param>
    /// <param name="batch">The fields that are inputs.</param>
    public virtual TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        Tensor x = RecordBody(tape, model, batch), targets = batch[BatchField.Targets];
        (Tensor loss, Tensor losses) = model.Config.Outputs > 0 ? model.ReadOut.Loss(tape, x, batch[BatchField.Values], targets) : model.Language.Loss(tape, x, targets);
        return new TaskLoss(loss, losses) { Stream = x };
    }

    /// <summary>
    /// Records the model's body alone, [B, T, C]: what is measured is on its way. Here it reads <see cref="BatchField.Tokens"/> or, where the model reads features in,
    /// <see cref="BatchField.Features"/>, besides documents and prefixes where the batch has them.
    /// </summary>
    public virtual Tensor RecordBody(Tape tape, Transformer model, BatchTensors batch)
        => model.Body.Forward(
            tape, batch[model.Config.Inputs > 0 ? BatchField.Features : BatchField.Tokens], batch[BatchField.Documents], batch[BatchField.Prefixes], batch[BatchField.Positions]);

    /// <summary>A new sum of what is scored.</summary>
    public virtual TaskScore NewScore() => new TargetScore();

    /// <summary>By what a detailed evaluation tells targets apart besides their place in the row.</summary>
    internal virtual IReadOnlyList<ScoreAxis> Axes => GroupedBy is { } groups ? [new ScoreAxis(groups, GroupMeaning ?? groups, AxisScale.Each) { Field = BatchField.Groups }] : [];

    /// <summary>Classes that it gives to places, such as parts of speech: <see cref="Fill"/> fills the field of each where the row has it. Measurements of the stream read them.</summary>
    public virtual IReadOnlyList<PlaceLabels> Labels => [];

    /// <summary>What it is, in lines for the beginning of a run.</summary>
    public virtual IEnumerable<string> Describe() => [Name];

    /// <summary>The best scores that any model can have on what is held back, by the names of <see cref="Evaluation.Figures"/>; those that are not known are left out.</summary>
    /// <remarks>May go through all of those rows.</remarks>
    public virtual IReadOnlyList<Score> Best() => [];

    /// <summary>The scores of one who knows nothing, named like those of <see cref="Best"/>.</summary>
    public virtual IReadOnlyList<Score> Guessing() => LossOfGuessing is { } loss ? [new Score("loss", loss)] : [];

    /// <summary>What simple methods score on what is held back, such as counting pairs of tokens; learns and goes through all of those rows.</summary>
    public virtual IEnumerable<Baseline> Baselines() => [];

    /// <summary>So many pairs of rows of each kind that differ in one token, which in one of them is wrong; fewer or none where the task has no more.</summary>
    public virtual IReadOnlyList<MinimalPair> MinimalPairs(int each) => [];

    /// <summary>How a token reads to a person: here by its number.</summary>
    public virtual string Symbol(int token) => token.ToString(CultureInfo.InvariantCulture);

    /// <summary>A row as a person reads it, in lines: here its places one after the other, what is asked for in brackets.</summary>
    /// <param name="row">Of all fields.</param>
    public virtual IReadOnlyList<string> Show(in BatchRow row) => [RowText.Of(this, row)];

    /// <summary>Closes what it reads.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The fields that reach a model.</summary>
    internal BatchField[] Inputs(int time) => [.. Fields(time).Where(field => field.IsInput)];

    /// <summary>Those that reach a model, and those that only scores read.</summary>
    internal BatchField[] Evaluated(int time) => [.. Fields(time).Where(field => field.IsInput || field.IsScored)];

    /// <summary>The fields of axes that evaluations do not read anyway.</summary>
    internal BatchField[] FieldsOf(IEnumerable<ScoreAxis> axes, int time)
    {
        BatchField[] own = Evaluated(time);
        return [.. axes.Where(axis => axis != ScoreAxis.Position && !own.Any(field => field.Name == axis.Field)).Select(axis => BatchField.OfScores(axis.Field, time))];
    }

    /// <summary>Rows of a split that have so many places.</summary>
    internal long Rows(TaskSplit split, int time) => Places(split) is var places && places > long.MaxValue - time ? places / time : (places + time - 1) / time;

    /// <inheritdoc cref="Dispose()"/>
    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>What a loss is counted in.</summary>
/// <param name="Name">In words: <c>nats per token</c>.</param>
/// <param name="Short">On a line: <c>nats/token</c>.</param>
/// <param name="IsCode">Whether it is the length of a code: then its power has a meaning, the perplexity.</param>
public sealed record LossUnit(string Name, string Short, bool IsCode)
{
    /// <summary>Of a language head.</summary>
    public static LossUnit NatsPerToken { get; } = new("nats per token", "nats/token", IsCode: true);

    /// <summary>Of a read-out: the mean square of what it is off.</summary>
    public static LossUnit SquaredError { get; } = new("squared error", "squared error", IsCode: false);
}

/// <summary>A class for each place of a row, in a field of its own that no model reads.</summary>
/// <param name="Name">As in <c>partOfSpeech</c>.</param>
/// <param name="Classes">What the classes are called, by their number.</param>
public sealed record PlaceLabels(string Name, IReadOnlyList<string> Classes)
{
    /// <summary>The field of a batch that holds them, −1 where a place has none.</summary>
    public string Field => $"label.{Name}";
}

/// <summary>Two rows that differ in one token, of which one is as the task's rows are and the other is not.</summary>
/// <param name="Kind">What is wrong in the second, such as <c>agreement</c>.</param>
/// <param name="Right">Tokens.</param>
/// <param name="Wrong">As many.</param>
/// <param name="At">The place at which they differ.</param>
public sealed record MinimalPair(string Kind, IReadOnlyList<int> Right, IReadOnlyList<int> Wrong, int At);
