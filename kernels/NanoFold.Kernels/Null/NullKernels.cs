using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Null;

/// <summary>Every fused kernel, doing nothing but asking that its views lie within their buffers. Sizes of scratch are those of <paramref name="like"/>.</summary>
internal sealed class NullKernels(Backend? like) :
    IFusedAttention, IFusedTopKAttention, ICachedAttention, INormKernels, IRopeKernel, ICrossEntropyKernel, ILinearCrossEntropy, IOptimizerKernels, IExpertRouting
{
    long IFusedAttention.BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim)
        => like?.FindInterface<IFusedAttention>()?.BackwardScratchBytes(batch, time, heads, keyHeads, headDim) ?? 0;

    long IFusedTopKAttention.BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim)
        => like?.FindInterface<IFusedTopKAttention>()?.BackwardScratchBytes(batch, time, heads, keyHeads, headDim) ?? 0;

    public long BackwardScratchBytes(long rows, int width, DType type)
        => like?.FindInterface<INormKernels>()?.BackwardScratchBytes(rows, width, type) ?? 0;

    public long ScratchBytes(long rows, int width, int vocab, bool keepsLogits)
        => like?.FindInterface<ILinearCrossEntropy>()?.ScratchBytes(rows, width, vocab, keepsLogits) ?? 0;

    public bool KeepsLogits(long rows, int vocab, DType type) => like?.FindInterface<ILinearCrossEntropy>()?.KeepsLogits(rows, vocab, type) ?? false;

    public int LogitsColumns(int vocab, DType type) => like?.FindInterface<ILinearCrossEntropy>()?.LogitsColumns(vocab, type) ?? vocab;

    public void Forward(in AttentionArgs args) => Check("attention", args.Q, args.K, args.V, args.Y);

    public void Backward(in AttentionArgs args, in AttentionGradients gradients)
    {
        Forward(args);
        Check("attention backward", gradients.DY, gradients.DQ, gradients.DK, gradients.DV);
    }

    public void Forward(in AttentionArgs args, in View kept)
    {
        Forward(args);
        Check("top-k attention", kept);
    }

    public void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients)
    {
        Backward(args, gradients);
        Check("top-k attention backward", kept);
    }

    public void Forward(in CachedAttentionArgs args)
    {
        Check("cached attention", args.Q, args.K, args.V, args.Y);
        Check("cached attention", args.KeyCache, args.ValueCache, args.Positions, args.Counts);
    }

    public void RmsNorm(in View x, in View gain, in View y, in View statistics, double epsilon) => Check("rms norm", x, gain, y, statistics);

    public void RmsNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View scratch)
    {
        Check("rms norm backward", x, gain, statistics, dy);
        Check("rms norm backward", dx, dGain, scratch);
    }

    public void LayerNorm(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon)
    {
        Check("layer norm", x, gain, bias, y);
        Check("layer norm", statistics);
    }

    public void LayerNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch)
    {
        Check("layer norm backward", x, gain, statistics, dy);
        Check("layer norm backward", dx, dGain, dBias, scratch);
    }

    public void Apply(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate) => Check("rope", x, y, table, positions);

    public void Forward(in View logits, in View targets, in View losses, in View logSumExp, in View loss)
    {
        Check("cross-entropy", logits, targets, losses, logSumExp);
        Check("cross-entropy", loss);
    }

    public void Backward(in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        Check("cross-entropy backward", logits, targets, logSumExp, dLoss);
        Check("cross-entropy backward", dLogits);
    }

    public void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, in View logits = default)
    {
        Check("linear cross-entropy", x, weight, targets, losses);
        Check("linear cross-entropy", logSumExp, loss, scratch);
    }

    public void Backward(in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch, in View logits = default)
    {
        Check("linear cross-entropy backward", x, weight, targets, logSumExp);
        Check("linear cross-entropy backward", dLoss, dX, dWeight, scratch);
    }

    public void AddSquares(in View gradient) => Check("add squares", gradient);

    public void Decide(double clip, bool dynamicLossScale)
    {
    }

    public void AdamW(in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor)
        => Check("adamw", parameter, gradient, first, second);

    public void MuonMomentum(in View gradient, in View momentum, in View update, double beta, bool nesterov) => Check("muon momentum", gradient, momentum, update);

    public void NormalizeFrobenius(in View x, in View y, double epsilon) => Check("normalize", x, y);

    public void MuonApply(in View parameter, in View update, double decay, double rateFactor) => Check("muon", parameter, update);

    public void Sort(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow) => Check("expert sort", indices, offsets, rowOfSlot, tokenOfRow);

    public void Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate) => Check("expert combine", rows, weights, rowOfSlot, y);

    public void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        Check("expert combine backward", rows, weights, rowOfSlot, dy);
        Check("expert combine backward", dRows, dWeights);
    }

    public void Weights(in View probabilities, in View indices, in View weights, bool renormalize) => Check("expert weights", probabilities, indices, weights);

    public void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
    {
        Check("expert weights backward", probabilities, indices, weights, dWeights);
        Check("expert weights backward", dProbabilities);
    }

    public void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
    {
        Check("router loss", logits, probabilities, offsets, load);
        Check("router loss", loss);
    }

    public void RouterLossBackward(in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
    {
        Check("router loss backward", logits, probabilities, load, dLoss);
        Check("router loss backward", dLogits);
    }

    private static void Check(string op, in View a, in View b = default, in View c = default, in View d = default)
    {
        Check(op, a);
        Check(op, b);
        Check(op, c);
        Check(op, d);
    }

    private static void Check(string op, in View x)
    {
        if (!x.IsNone)
        {
            Checks.Inside(op, "a view", x);
        }
    }
}
