namespace NanoFold.Kernels.Fused;

/// <summary>
/// Causal attention over each row's k largest scores only, the smaller index winning among equals.
/// All keys are scored; the product with v and the backward pass touch only those kept.
/// </summary>
public interface IFusedTopKAttention
{
    /// <param name="args">Mask must be plain causal (documents allowed).</param>
    /// <param name="kept">Indices of the keys kept, ascending by score rank, −1 behind the last; Int32 [B, H, T, k].</param>
    void Forward(in AttentionArgs args, in View kept);

    void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients);

    long BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim);
}
