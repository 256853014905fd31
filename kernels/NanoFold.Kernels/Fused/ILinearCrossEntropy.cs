namespace NanoFold.Kernels.Fused;

/// <summary>
/// Head and cross-entropy in one: logits = x Wᵀ are made a chunk of rows at a time and never held as a whole; rows without a target never reach the head.
/// </summary>
public interface ILinearCrossEntropy
{
    /// <param name="x">[N, C].</param>
    /// <param name="weight">[V, C].</param>
    /// <param name="targets">Int32 [N], −1 for none.</param>
    /// <param name="losses">[N] nats of each row, 0 without target.</param>
    /// <param name="logSumExp">[N].</param>
    /// <param name="loss">[1]: Σ losses / TargetCount, also added to <see cref="StepSlot.Loss"/>.</param>
    void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch);

    /// <summary>dX (0 for rows without target) and dWeight += ; either may be none. Logits are made again, chunk by chunk.</summary>
    void Backward(in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch);

    long ScratchBytes(long rows, int width, int vocab);
}
