using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Fused.Attention;

namespace NanoFold.Kernels.Profiling;

/// <summary>What calls of fused kernels cost, by the rules of <see cref="KernelCost"/>.</summary>
internal static class FusedCost
{
    // Per element, counted in the formulas that the interfaces state.
    private const int RmsFlops = 4, LayerFlops = 7, NormBackwardFlops = 7, GainFlops = 3, RopeFlops = 3;

    public static KernelCost Attention(in AttentionArgs args)
        => new(4 * Pairs(args) * args.Q.Layout[3], Operands(args));

    public static KernelCost AttentionBackward(in AttentionArgs args, in AttentionGradients gradients)
        => new(2 * Products(gradients) * Pairs(args) * args.Q.Layout[3], Operands(args) + Gradients(gradients));

    public static KernelCost TopKAttention(in AttentionArgs args, in View kept)
        => new(2 * (Pairs(args) + KeptPairs(args, kept)) * args.Q.Layout[3], Operands(args) + KernelCost.BytesOf(kept));

    public static KernelCost TopKAttentionBackward(in AttentionArgs args, in View kept, in AttentionGradients gradients)
        => new(2 * Products(gradients) * KeptPairs(args, kept) * args.Q.Layout[3], Operands(args) + KernelCost.BytesOf(kept) + Gradients(gradients));

    /// <remarks>How full the cache is, is data: as if it were full.</remarks>
    public static KernelCost CachedAttention(in CachedAttentionArgs args) => new(
        4.0 * args.Q.Count * args.KeyCache.Layout[1],
        KernelCost.BytesOf(args.Q) + KernelCost.BytesOf(args.K) + KernelCost.BytesOf(args.V) + KernelCost.BytesOf(args.Y)
            + KernelCost.BytesOf(args.KeyCache) + KernelCost.BytesOf(args.ValueCache));

    public static KernelCost Norm(in View x, in View gain, in View bias, in View y, in View statistics, bool centered) => new(
        (double)x.Count * (centered ? LayerFlops : RmsFlops),
        KernelCost.BytesOf(x) + KernelCost.BytesOf(gain) + KernelCost.BytesOf(bias) + KernelCost.BytesOf(y) + KernelCost.BytesOf(statistics));

    public static KernelCost NormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias) => new(
        (double)x.Count * ((dx.IsNone ? 0 : NormBackwardFlops) + (dGain.IsNone ? 0 : GainFlops) + (dBias.IsNone ? 0 : 1)),
        KernelCost.BytesOf(x) + KernelCost.BytesOf(gain) + KernelCost.BytesOf(statistics) + KernelCost.BytesOf(dy)
            + KernelCost.BytesOf(dx, accumulateX) + KernelCost.BytesOf(dGain, true) + KernelCost.BytesOf(dBias, true));

    public static KernelCost Rope(in View x, in View y, bool accumulate) => new(
        (double)x.Count * RopeFlops,
        // Of the table only the rows of these positions.
        KernelCost.BytesOf(x) + KernelCost.BytesOf(y, accumulate) + ((double)x.Layout[1] * x.Layout[3] * x.Type.Sum().Size()));

    public static KernelCost CrossEntropy(in View logits, in View targets) => new(
        (double)logits.Count * (3 + Formula.ExpFlops),
        KernelCost.BytesOf(logits) + KernelCost.BytesOf(targets) + (2.0 * logits.Layout.Rows * logits.Type.Sum().Size()));

    public static KernelCost CrossEntropyBackward(in View logits, in View targets, in View dLogits, bool accumulate) => new(
        (double)logits.Count * (2 + Formula.ExpFlops),
        KernelCost.BytesOf(logits) + KernelCost.BytesOf(targets) + KernelCost.BytesOf(dLogits, accumulate));

    /// <remarks>Which rows have no target is data: as if all had one.</remarks>
    public static KernelCost LinearCrossEntropy(in View x, in View weight, in View targets, in View logits) => new(
        2.0 * x.Count * weight.Layout[0],
        KernelCost.BytesOf(x) + KernelCost.BytesOf(weight) + (3 * KernelCost.BytesOf(targets)) + KernelCost.BytesOf(logits));

    public static KernelCost LinearCrossEntropyBackward(
        in View x, in View weight, in View targets, in View dX, bool accumulateX, in View dWeight, in View logits) => new(
        // The logits once more where they were not kept, then dX and dW.
        2.0 * x.Count * weight.Layout[0] * ((logits.IsNone ? 1 : 0) + (dX.IsNone ? 0 : 1) + (dWeight.IsNone ? 0 : 1)),
        KernelCost.BytesOf(x) + KernelCost.BytesOf(weight) + (2 * KernelCost.BytesOf(targets)) + KernelCost.BytesOf(dX, accumulateX) + KernelCost.BytesOf(dWeight, true)
            + KernelCost.BytesOf(logits, true));

    /// <summary>A pass over vectors of one length.</summary>
    /// <param name="x">One of them.</param>
    /// <param name="flops">Per element.</param>
    /// <param name="streams">Vectors read and vectors written.</param>
    public static KernelCost Pass(in View x, int flops, int streams) => new((double)x.Count * flops, streams * KernelCost.BytesOf(x));

    public static KernelCost Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate) => new(
        (double)rows.Count * (weights.IsNone ? 1 : 2),
        KernelCost.BytesOf(rows) + KernelCost.BytesOf(weights) + KernelCost.BytesOf(rowOfSlot) + KernelCost.BytesOf(y, accumulate));

    public static KernelCost CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights) => new(
        (double)rows.Count * ((dRows.IsNone ? 0 : 1) + (dWeights.IsNone ? 0 : 2)),
        (dWeights.IsNone ? 0 : KernelCost.BytesOf(rows)) + KernelCost.BytesOf(weights) + KernelCost.BytesOf(rowOfSlot)
            + KernelCost.BytesOf(dy) + KernelCost.BytesOf(dRows) + KernelCost.BytesOf(dWeights));

    private static double Pairs(in AttentionArgs args)
        => VisiblePairs.Count(args.Visible, args.Q.Layout[0], args.Q.Layout[2], args.Q.Layout[1], args.K.Layout[1]);

    private static double KeptPairs(in AttentionArgs args, in View kept)
        => kept.Layout[0] * (double)kept.Layout[1] * VisiblePairs.Count(args.Visible.Rule(args.K.Layout[1]), kept.Layout[2], args.K.Layout[1], kept.Layout[3]);

    // The scores again and dP, then those asked for of dQ, dK and dV.
    private static double Products(in AttentionGradients gradients)
        => 2 + (gradients.DQ.IsNone ? 0 : 1) + (gradients.DK.IsNone ? 0 : 1) + (gradients.DV.IsNone ? 0 : 1);

    private static double Operands(in AttentionArgs args)
        => KernelCost.BytesOf(args.Q) + KernelCost.BytesOf(args.K) + KernelCost.BytesOf(args.V) + KernelCost.BytesOf(args.Y) + KernelCost.BytesOf(args.LogSumExp);

    private static double Gradients(in AttentionGradients g) => KernelCost.BytesOf(g.DY)
        + KernelCost.BytesOf(g.DQ, g.AccumulateQ) + KernelCost.BytesOf(g.DK, g.AccumulateK) + KernelCost.BytesOf(g.DV, g.AccumulateV);
}
