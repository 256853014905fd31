using ILGPU;
using ILGPU.Algorithms;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Weights and gradients of scores from what <see cref="DeltaWork{T}"/> left.</summary>
internal struct ScoreGradient
{
    private const float BitsPerNat = 1.44269504f;

    public VisibleView Seen;
    public ArrayView<float> Bits, Delta;
    public int RowLength;
    public float Scale;

    /// <summary>p = exp(scale · s − log-sum-exp), 0 where the key is hidden.</summary>
    public readonly float Weight(float score, int batch, int pair, int query, int key) =>
        Seen.Sees(batch, query, key) ? XMath.Exp2(score * (Scale * BitsPerNat) - Bits[(long)pair * RowLength + query]) : 0;

    /// <summary>Gradient of the scaled score with weight p, of whose product with v the gradient is dp.</summary>
    public readonly float OfWeight(float weight, float dp, int pair, int query) => weight == 0 ? 0 : weight * (dp - Delta[(long)pair * RowLength + query]);

    public readonly float Of(float score, float dp, int batch, int pair, int query, int key) =>
        OfWeight(Weight(score, batch, pair, query, key), dp, pair, query);
}
