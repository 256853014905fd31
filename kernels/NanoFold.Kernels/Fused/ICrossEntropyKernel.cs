namespace NanoFold.Kernels.Fused;

/// <summary>Cross-entropy of logits [N, V] with targets [N] (Int32, −1 for none), in nats, divided by <see cref="StepSlot.TargetCount"/>.</summary>
public interface ICrossEntropyKernel
{
    /// <summary>
    /// loss[0] = Σ losses / TargetCount and adds it to <see cref="StepSlot.Loss"/>; losses [N] holds each row's nats (0 without target);
    /// logSumExp [N].
    /// </summary>
    void Forward(in View logits, in View targets, in View losses, in View logSumExp, in View loss);

    /// <summary>dLogits = dLoss[0] · <see cref="StepSlot.LossScale"/> · (softmax − onehot) / TargetCount, 0 for rows without target. dLogits may be the logits themselves.</summary>
    void Backward(in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate);
}
