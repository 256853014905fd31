using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>A task that is made up of tokens with labels at some places: what is scored beside the loss is <c>accuracy</c>, the share of labels that the model finds most likely.</summary>
/// <param name="config">How many rows there are to validate with.</param>
/// <param name="context">The length of rows, and the seed.</param>
public abstract class LabelledTask(GeneratedTaskConfig config, TaskContext context) : GeneratedTask(config, context)
{
    /// <summary>What who knows every label scores.</summary>
    protected static IReadOnlyList<Score> Certain { get; } = [new("loss", 0), new(Evaluation.Accuracy, 1)];

    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

    /// <inheritdoc/>
    public override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (tape.IsTraining)
        {
            return base.RecordLoss(tape, model, batch);
        }

        (Tensor loss, Tensor losses, Tensor predicted) = model.Language.LossAndPredictions(tape, RecordBody(tape, model, batch), batch[BatchField.Targets]);
        return new TaskLoss(loss, losses, predicted);
    }

    /// <summary>The loss, that of each place, and the logits that they are of, <c>[B, T, V]</c>: for scores that need more than the most likely token.</summary>
    protected (Tensor Loss, Tensor Losses, Tensor Logits) RecordLogits(Tape tape, Transformer model, BatchTensors batch)
    {
        Tensor logits = model.Language.Logits(tape, RecordBody(tape, model, batch));
        (Tensor loss, Tensor losses) = CrossEntropyOp.Record(tape, logits, batch[BatchField.Targets]);
        return (loss, losses, logits);
    }

    /// <summary>What who knows of every label only that it is one of so many scores.</summary>
    protected static IReadOnlyList<Score> OneOf(int labels) => [new("loss", Math.Log(labels)), new(Evaluation.Accuracy, 1.0 / labels)];
}
