namespace NanoFold.Kernels.Fused;

/// <summary>
/// Head and cross-entropy in one: logits = x Wᵀ are made a chunk of rows at a time and held as a whole only where the caller gives them room;
/// rows without a target never reach the head.
/// </summary>
public interface ILinearCrossEntropy
{
    /// <param name="x">[N, C].</param>
    /// <param name="weight">[V, C].</param>
    /// <param name="targets">Int32 [N], −1 for none.</param>
    /// <param name="losses">[N] nats of each row, 0 without target.</param>
    /// <param name="logSumExp">[N].</param>
    /// <param name="loss">[1]: Σ losses / TargetCount, also added to <see cref="StepSlot.Loss"/>.</param>
    /// <param name="scratch">As asked for by <see cref="ScratchBytes"/>.</param>
    /// <param name="logits">[N, V] with rows of stride 1, gets the logits of the rows with a target, one behind the other; none: they are not kept.</param>
    void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, in View logits = default);

    /// <summary>
    /// dX (0 for rows without target) and dWeight += , of dLoss[0] · <see cref="StepSlot.LossScale"/>; either may be none. dWeight is in Float32 where the rest has 16 bits. Logits that were kept are overwritten, others are made again, chunk by chunk.
    /// </summary>
    void Backward(
        in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch, in View logits = default);

    /// <summary>Whether keeping the logits of the forward pass is worth its memory.</summary>
    bool KeepsLogits(long rows, int vocab, DType type);

    /// <summary>Length of a row of logits that are kept, at least <paramref name="vocab"/>: rows may have to be aligned.</summary>
    int LogitsColumns(int vocab, DType type);

    /// <param name="rows">N.</param>
    /// <param name="width">C.</param>
    /// <param name="vocab">V.</param>
    /// <param name="keepsLogits">Whether the caller gives the logits room of their own.</param>
    long ScratchBytes(long rows, int width, int vocab, bool keepsLogits);
}
