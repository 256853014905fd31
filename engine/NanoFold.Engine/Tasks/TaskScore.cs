using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Tasks;

/// <summary>What a task records of a pass.</summary>
/// <param name="Loss">[1], over <see cref="NanoFold.Kernels.StepSlot.TargetCount"/> targets.</param>
/// <param name="Scored">What an evaluation reads after each batch, in the order in which <see cref="TaskScore.Add"/> gets it.</param>
public sealed record TaskLoss(Tensor Loss, params IReadOnlyList<Tensor> Scored)
{
    /// <summary>The normed stream [B, T, C] that a head over the vocabulary reads, where <see cref="BatchField.Targets"/> say at which places; none where there is none.</summary>
    public Tensor Stream { get; init; }
}

/// <summary>Adds up what a model scores, batch by batch; sums in double, in order.</summary>
public abstract class TaskScore
{
    /// <summary>
    /// Whether what is scored begins with the loss of each place [B, T], then perhaps what was predicted there, Int32 [B, T]: a detailed evaluation tells such losses apart.
    /// </summary>
    public virtual bool IsOfPlaces => false;

    /// <summary>Begins an evaluation: nothing is added yet.</summary>
    public abstract void Begin();

    /// <summary>Adds a batch.</summary>
    /// <param name="batch">What the model was given; rows after the last have no targets.</param>
    /// <param name="scored">What the task said is scored.</param>
    public abstract void Add(BatchRows batch, ScoredValues scored);

    /// <summary>The result of all batches.</summary>
    public abstract Evaluation Result();
}

/// <summary>The tensors of <see cref="TaskLoss.Scored"/> on the host.</summary>
public sealed class ScoredValues
{
    private readonly Array[] _values;

    internal ScoredValues(IEnumerable<Tensor> scored)
        => _values = [.. scored.Select(Array (tensor) => tensor.Type == Kernels.DType.Int32 ? new int[tensor.Layout.Count] : new float[tensor.Layout.Count])];

    /// <summary>Of given values: for tests of scores.</summary>
    internal ScoredValues(params Array[] values) => _values = values;

    /// <summary>How many tensors.</summary>
    public int Count => _values.Length;

    /// <summary>Whether a tensor is of whole numbers; false where there is none.</summary>
    public bool IsInteger(int index) => index < _values.Length && _values[index] is int[];

    /// <summary>Reals, in row-major order.</summary>
    public Span<float> Reals(int index) => (float[])_values[index];

    /// <summary>Whole numbers, in row-major order.</summary>
    public Span<int> Integers(int index) => (int[])_values[index];
}

/// <summary>The mean of losses over the targets, and where tokens were predicted how many of them: for tasks whose targets stand in <see cref="BatchField.Targets"/>.</summary>
/// <remarks>Gets the loss of each place [B, T], and optionally what was predicted there, Int32 [B, T]: then <c>accuracy</c> is scored.</remarks>
public class TargetScore : TaskScore
{
    private double _sum;
    private long _count;
    private long _right;
    private bool _isPredicted;

    /// <inheritdoc/>
    public override bool IsOfPlaces => true;

    /// <inheritdoc/>
    public override void Begin() => (_sum, _count, _right) = (0, 0, 0);

    /// <inheritdoc/>
    public override void Add(BatchRows batch, ScoredValues scored)
    {
        _isPredicted = scored.Count > 1;
        Add(batch, scored.Reals(0), _isPredicted ? scored.Integers(1) : []);
    }

    /// <summary>Adds the losses of a batch, and what was predicted where that is not empty.</summary>
    protected void Add(BatchRows batch, ReadOnlySpan<float> losses, ReadOnlySpan<int> predicted)
    {
        ReadOnlySpan<int> targets = batch.Integers(BatchField.Targets);
        for (int i = 0; i < targets.Length; i++)
        {
            if (targets[i] >= 0)
            {
                _sum += losses[i];
                _count++;
                _right += !predicted.IsEmpty && predicted[i] == targets[i] ? 1 : 0;
            }
        }
    }

    /// <inheritdoc/>
    public override Evaluation Result()
        => _isPredicted ? Evaluation.Of(_sum / _count, _count, new Score(Evaluation.Accuracy, (double)_right / _count)) : Evaluation.Of(_sum / _count, _count);
}
