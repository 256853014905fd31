using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>A task that is made up of tokens with labels at some places: what is scored beside the loss is <c>accuracy</c>, the share of labels that the model finds most likely.</summary>
/// <param name="config">How many rows there are to validate with.</param>
/// <param name="context">The length of rows, and the seed.</param>
public abstract class LabelledTask(GeneratedTaskConfig config, TaskContext context) : GeneratedTask(config, context)
{
    /// <inheritdoc/>
    public override IReadOnlyList<BatchField> Fields(int time) => BatchField.OfTokens(time);

    /// <inheritdoc/>
    public sealed override TaskLoss RecordLoss(Tape tape, Transformer model, BatchTensors batch)
    {
        if (tape.IsTraining)
        {
            return base.RecordLoss(tape, model, batch);
        }

        (Tensor loss, Tensor losses, Tensor predicted) = model.Language.LossAndPredictions(tape, RecordBody(tape, model, batch), batch[BatchField.Targets]);
        return new TaskLoss(loss, losses, predicted);
    }
}
