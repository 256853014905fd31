namespace NanoFold.Kernels.Fused;

/// <summary>
/// Attention over the k largest scores of the keys that a row sees, the smaller index winning among equals.
/// All that it sees are scored; the product with v and the backward pass touch only those kept.
/// </summary>
public interface IFusedTopKAttention
{
    /// <param name="args">Any visibility but a block table.</param>
    /// <param name="kept">Indices of the keys kept, ascending by score rank, −1 behind the last; Int32 [B, H, T, k].</param>
    void Forward(in AttentionArgs args, in View kept);

    void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients);

    long BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim);
}
