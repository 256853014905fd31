using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// A batch of pairs and its loss. A row holds pairs, each answer with its prompt a document of its own. <c>answers</c> [2P, T] says which places belong to an answer: the
/// preferred one of pair p in row 2p, the rejected one in 2p + 1; <c>reference</c> [2P] is what the reference gave them, in nats; <c>pairs</c> [P] is 1 where there is a pair.
/// </summary>
/// <param name="config">The loss.</param>
/// <param name="model">Whether positions are learned.</param>
internal abstract class PreferenceLearning(PreferenceConfig config, ModelConfig model) : LearningTask
{
    public const string Answers = "answers", Reference = "reference", Pairs = "pairs";

    /// <summary>Pairs that a row holds at most, P.</summary>
    protected abstract int MostPairs { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time) =>
    [
        .. BatchField.OfTokens(time), BatchField.OfDocuments(time), .. model.Position == PositionKind.Learned ? [BatchField.OfPositions(time)] : Array.Empty<BatchField>(),
        BatchField.Reals(Answers, 2 * MostPairs, time), BatchField.Reals(Reference, 2 * MostPairs), BatchField.Reals(Pairs, MostPairs),
    ];

    /// <inheritdoc/>
    public override LossUnit Unit { get; } = new("loss per pair", "loss/pair", IsCode: false);

    /// <inheritdoc/>
    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (model.Language.WhyNoLosses is { } reason)
        {
            throw new UserException($"task \"{config.Kind}\": {reason}");
        }

        (Tensor nats, Tensor stream) = RecordNats(tape, model, batch);
        (Tensor losses, Tensor rewards, Tensor margins, Tensor right) = PreferenceLossOp.Record(
            tape, nats, batch[Reference].Reshape(nats[0], 2), config.Loss, config.Beta, config.LabelSmoothing);
        Tensor pairs = batch[Pairs].Reshape(nats[0]);
        Tensor Of(Tensor values) => MultiplyOp.Record(tape, values, pairs);
        Tensor counted = Of(losses), loss = LossTermOp.Record(tape, counted, null, perTarget: true), margin = Of(margins), accuracy = Of(right);
        if (tape.IsTraining)
        {
            tape.AddLoss(loss);
            // To be reported: no loss, so that no gradient comes from them.
            LossTermOp.Record(tape, margin, "margin", perTarget: true);
            LossTermOp.Record(tape, accuracy, "pairAccuracy", perTarget: true);
        }

        return new TaskLoss(loss, counted, rewards, accuracy) { Stream = stream };
    }

    /// <summary>Records what a model gives both answers of each pair, −ln p summed over their places, [B · P, 2], and the normed stream.</summary>
    public (Tensor Nats, Tensor Stream) RecordNats(Tape tape, Transformer model, BatchTensors batch)
    {
        Tensor x = RecordBody(tape, model, batch), targets = batch[BatchField.Targets];
        Tensor nats = model.Language.TokenNats(tape, x, targets).Reshape(targets[0], targets[1], 1);
        return (MatMulOp.Record(tape, batch[Answers], nats).Reshape(targets[0] * MostPairs, 2), x);
    }

    /// <inheritdoc/>
    public override TaskScore NewScore() => new PreferenceScore();
}

/// <summary>Pairs of anything: for plans and benchmarks, where only shapes matter.</summary>
internal sealed class PreferenceSketch(PreferenceConfig config, TaskContext context) : PreferenceLearning(config, context.Model)
{
    private readonly RandomTokens _tokens = new(Math.Max(1, context.Model.Vocab), context.Seed, hasDocuments: true);

    public override string Name => _tokens.Name;

    public override int Vocab => _tokens.Vocab;

    protected override int MostPairs => 1;

    public override long Places(TaskSplit split) => long.MaxValue;

    public override int Fill(in RowKey key, in BatchRow row)
    {
        _tokens.Fill(key, row);
        Span<float> answers = row.Reals(Answers);
        answers[..(answers.Length / 4)].Fill(1);
        answers[^(answers.Length / 4)..].Fill(1);
        row.Reals(Pairs).Fill(1);
        return 1;
    }
}

/// <summary>Means over pairs: the loss, the margin, the share of pairs whose margin is positive, both rewards.</summary>
internal sealed class PreferenceScore : TaskScore
{
    private readonly double[] _sums = new double[4];
    private long _count;

    public override void Begin()
    {
        Array.Clear(_sums);
        _count = 0;
    }

    public override void Add(BatchRows batch, ScoredValues scored)
    {
        ReadOnlySpan<float> pairs = batch.Reals(PreferenceLearning.Pairs), losses = scored.Reals(0), rewards = scored.Reals(1), right = scored.Reals(2);
        for (int i = 0; i < pairs.Length; i++)
        {
            if (pairs[i] > 0)
            {
                _count++;
                _sums[0] += losses[i];
                _sums[1] += rewards[2 * i];
                _sums[2] += rewards[(2 * i) + 1];
                _sums[3] += right[i];
            }
        }
    }

    public override Evaluation Result()
    {
        double[] means = Array.ConvertAll(_sums, sum => sum / _count);
        return Evaluation.Of(
            means[0], _count, new Score("pairAccuracy", means[3]), new Score("margin", means[1] - means[2]), new Score("chosenReward", means[1]), new Score("rejectedReward", means[2]));
    }
}
