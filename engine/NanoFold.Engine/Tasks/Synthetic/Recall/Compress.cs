using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Compression (mad-lab, arXiv 2403.17844): random tokens and a sign at the end, from whose state alone all of the row is read: the head has a part for each place, so that
/// model.vocab is task.symbols · model.context. mad-lab reads by an MLP that is told the place.
/// </summary>
public sealed record CompressConfig : LabelledTaskConfig
{
    public static CompressConfig Tiny => new() { Symbols = 4, ValidationRows = 6 };

    /// <summary>V: the last is the sign.</summary>
    [Bounds(3, 4096)]
    public int Symbols { get; init; } = 16;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int? UsualContext => 32;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
        => model.Vocab > 0 && model.Vocab != HeadOf(model)
            ? base.Validate(model with { Vocab = 0 }, path).Prepend(new ConfigProblem(
                "model.vocab", $"{model.Vocab} is not {HeadOf(model)}, the {path}.symbols = {Symbols} of each of the {model.Context} places that are read from the last one; leave it out"))
            : base.Validate(model, path);

    /// <inheritdoc/>
    public override ModelConfig Fit(ModelConfig model) => model.Vocab > 0 ? model : model with { Vocab = (int)Math.Min(HeadOf(model), int.MaxValue) };

    /// <inheritdoc/>
    public override string WhyNotLonger(int trained) => $"the head has a part for each of the {trained} places it was trained with";

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Compress(this, context);

    private long HeadOf(ModelConfig model) => (long)Symbols * model.Context;
}

internal sealed class Compress(CompressConfig config, TaskContext context) : LabelledTask(config, context)
{
    public override int Vocab => (int)Math.Min((long)config.Symbols * Time, int.MaxValue);

    public override double? LossOfGuessing => Math.Log(Sign);

    public override string? GroupedBy => "distance";

    // Those before it are random.
    private int Sign => config.Symbols - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    // The sign is known.
    public override IReadOnlyList<Score> Guessing() => [new("loss", Math.Log(Sign) * (Time - 1) / Time), new(Evaluation.Accuracy, (((Time - 1.0) / Sign) + 1) / Time)];

    public override string Symbol(int token) => token == Sign ? "=" : base.Symbol(token);

    public override IEnumerable<string> Describe() => [$"compression: {Time} tokens are read from the state of the last"];

    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        Tensor x = RecordBody(tape, model, batch), targets = batch[BatchField.Targets];
        int rows = targets[0], time = targets[1];
        // A copy, for the head reads rows that lie next to each other.
        Tensor last = ScaleOp.Record(tape, x.Slice(1, time - 1, 1), 1), logits = model.Language.Logits(tape, last).Reshape(rows * time, config.Symbols);
        (Tensor loss, Tensor losses) = CrossEntropyOp.Record(tape, logits, targets);
        if (tape.IsTraining)
        {
            tape.AddLoss(loss);
            return new TaskLoss(loss, losses);
        }

        return new TaskLoss(loss, losses, TopKOp.Record(tape, logits, 1).Indices.Reshape(rows * time));
    }

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), groups = row.Integers(BatchField.Groups);
        for (int t = 0; t < tokens.Length; t++)
        {
            tokens[t] = t < tokens.Length - 1 ? draws.Below(Sign) : Sign;
            if (!groups.IsEmpty)
            {
                groups[t] = tokens.Length - 1 - t;
            }
        }

        tokens.CopyTo(row.Integers(BatchField.Targets));
        return tokens.Length;
    }
}
