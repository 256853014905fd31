namespace NanoFold.Kernels;

/// <summary>
/// What changes from one step to the next and is read by kernels: eight-byte slots in one buffer on the device,
/// so that a recorded step can be replayed unchanged.
/// </summary>
public enum StepSlot
{
    /// <summary>Number of the optimiser step, from 1 (integer).</summary>
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

    /// <summary>Mean loss of the accumulated batch, added up by the loss op (double).</summary>
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

    Count,
}
