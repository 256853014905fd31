namespace NanoFold.Kernels;

/// <summary>
/// Eight-byte slots, one per <see cref="StepSlot"/>, in the device's memory; kernels read them, the host writes them between steps. All start at 0
/// but <see cref="StepSlot.LossScale"/>, which starts at 1.
/// </summary>
public abstract class StepState
{
    /// <summary>The slots as a view of <see cref="StepSlot.Count"/> doubles.</summary>
    public abstract View View { get; }

    public abstract void Set(StepSlot slot, double value);

    public abstract void Set(StepSlot slot, long value);

    public abstract double GetDouble(StepSlot slot);

    public abstract long GetInteger(StepSlot slot);
}

/// <summary>
/// What changes from one step to the next and is read by kernels: eight-byte slots in one buffer on the device,
/// so that a recorded step can be replayed unchanged.
/// </summary>
public enum StepSlot
{
    /// <summary>Number of the optimizer step, from 1 (integer).</summary>
    Step,

    /// <summary>Index of the micro-batch within the step (integer).</summary>
    MicroBatch,

    /// <summary>Key of the counter-based random numbers (integer).</summary>
    RandomKey,

    /// <summary>Micro-batches of the step: the divisor of auxiliary losses (integer).</summary>
    MicroBatchCount,

    /// <summary>Targets in the whole accumulated batch: the divisor of the loss (integer).</summary>
    TargetCount,

    /// <summary>Learning rate of AdamW (double).</summary>
    LearningRate,

    /// <summary>Learning rate of Muon's matrices (double).</summary>
    MatrixLearningRate,

    /// <summary>Mean loss of the accumulated batch in nats per target, added up by the loss op (double).</summary>
    Loss,

    /// <summary>The balance losses of all routers, with their factors: part of what gradients are of, not of <see cref="Loss"/> (double).</summary>
    BalanceLoss,

    /// <summary>The z-losses of all routers, likewise (double).</summary>
    ZLoss,

    /// <summary>The losses that teach the indexers of sparse attention, likewise (double).</summary>
    IndexLoss,

    /// <summary>Sum of squares of all gradients (double), written before the update; without the loss scale once the step is decided.</summary>
    GradientSquares,

    /// <summary>Factor on the gradients from clipping and the loss scale (double), 0 where the step is skipped.</summary>
    GradientScale,

    /// <summary>Steps skipped because loss or gradient was not finite (integer).</summary>
    Skipped,

    /// <summary>Factor on the gradient of the loss (double), divided out again by <see cref="GradientScale"/>; 1 from the start, see <see cref="LossScaling"/>.</summary>
    LossScale,

    /// <summary>Steps in a row that were not skipped, since <see cref="LossScale"/> last changed (integer).</summary>
    GoodSteps,

    Count,
}

/// <summary>
/// Dynamic loss scaling (arXiv 1710.03740): the loss's gradient is multiplied by <see cref="StepSlot.LossScale"/>, so that small gradients do not vanish in
/// half precision. A step that overflows is skipped and halves the scale; <see cref="StepsPerDoubling"/> good ones in a row double it.
/// </summary>
public static class LossScaling
{
    /// <summary>Where half precision starts.</summary>
    public const double Initial = 1 << 16;

    public const double Least = 1;

    public const double Most = 1 << 24;

    public const long StepsPerDoubling = 2000;
}
