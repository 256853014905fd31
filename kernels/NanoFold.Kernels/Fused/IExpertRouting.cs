namespace NanoFold.Kernels.Fused;

/// <summary>
/// Dropless mixture-of-experts routing with static shapes: N tokens, k slots each, N·k rows sorted by expert. Slot s = n·k + j.
/// </summary>
public interface IExpertRouting
{
    /// <summary>From indices [N, k] (expert of each slot): offsets [E + 1], row of each slot [N, k], token of each row [N·k]. Stable: by expert, then slot. All Int32.</summary>
    void Sort(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow);

    /// <summary>y[n] = Σ_j weights[n, j] · rows[rowOfSlot[n, j]]. rows [N·k, C], y [N, C].</summary>
    void Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate);

    /// <summary>dRows[rowOfSlot[n, j]] = weights[n, j] · dy[n] and dWeights[n, j] = ⟨dy[n], rows[rowOfSlot[n, j]]⟩ (weights may be none: weight 1; dRows and dWeights may be none: not wanted).</summary>
    void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights);

    /// <summary>
    /// weights of the kept experts from probabilities [N, E] and indices [N, k]: p, or p / Σ p where renormalised.
    /// </summary>
    void Weights(in View probabilities, in View indices, in View weights, bool renormalize);

    /// <summary>dProbabilities (overwritten) from dWeights.</summary>
    void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize);

    /// <summary>
    /// loss[0] = (balance · E · Σ_e f_e P_e + z · mean(logsumexp(logits)²)) / MicroBatchCount with f_e the share of (token, slot) pairs of e; also added to <see cref="StepSlot.Loss"/>.
    /// load [E] receives f. logits and probabilities [N, E].
    /// </summary>
    void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z);

    /// <summary>Adds dLoss's gradient, times <see cref="StepSlot.LossScale"/>, to dLogits (the balance term through the softmax, f constant).</summary>
    void RouterLossBackward(in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate);
}
