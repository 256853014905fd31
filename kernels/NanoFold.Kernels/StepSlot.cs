namespace NanoFold.Kernels;

/// <summary>The slots that every <see cref="StepState"/> has; those from <see cref="Free"/> on are a state's own, see <see cref="StepState.Add"/>.</summary>
public enum StepSlot
{
    /// <summary>No slot.</summary>
    None = -1,

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

    /// <summary>Learning rate, for all parameters for which the optimizer has none of its own (double).</summary>
    LearningRate,

    /// <summary>Mean loss of the accumulated batch in nats per target, added up by the loss op (double).</summary>
    Loss,

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

    /// <summary>Which slots are terms beside the loss, a bit each (integer).</summary>
    TermMask,

    /// <summary>The first free slot.</summary>
    Free,
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
