using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Profiling;

/// <summary>Every fused kernel around that of another backend, each call noted in a log. Handed out only where the other backend has the kernel.</summary>
internal sealed class ProfiledKernels(Backend inner, EventLog log) :
    IFusedAttention, IFusedTopKAttention, ICachedAttention, INormKernels, IRopeKernel, ICrossEntropyKernel, ILinearCrossEntropy, IOptimizerKernels, IExpertRouting
{
    private readonly IFusedAttention? _attention = inner.FindInterface<IFusedAttention>();
    private readonly IFusedTopKAttention? _topKAttention = inner.FindInterface<IFusedTopKAttention>();
    private readonly ICachedAttention? _cachedAttention = inner.FindInterface<ICachedAttention>();
    private readonly INormKernels? _norm = inner.FindInterface<INormKernels>();
    private readonly IRopeKernel? _rope = inner.FindInterface<IRopeKernel>();
    private readonly ICrossEntropyKernel? _crossEntropy = inner.FindInterface<ICrossEntropyKernel>();
    private readonly ILinearCrossEntropy? _linearCrossEntropy = inner.FindInterface<ILinearCrossEntropy>();
    private readonly IOptimizerKernels? _optimizer = inner.FindInterface<IOptimizerKernels>();
    private readonly IExpertRouting? _routing = inner.FindInterface<IExpertRouting>();

    long IFusedAttention.BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim)
        => _attention!.BackwardScratchBytes(batch, time, heads, keyHeads, headDim);

    long IFusedTopKAttention.BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim)
        => _topKAttention!.BackwardScratchBytes(batch, time, heads, keyHeads, headDim);

    public long BackwardScratchBytes(long rows, int width, DType type) => _norm!.BackwardScratchBytes(rows, width, type);

    public long ScratchBytes(long rows, int width, int vocab, bool keepsLogits) => _linearCrossEntropy!.ScratchBytes(rows, width, vocab, keepsLogits);

    public bool KeepsLogits(long rows, int vocab, DType type) => _linearCrossEntropy!.KeepsLogits(rows, vocab, type);

    public int LogitsColumns(int vocab, DType type) => _linearCrossEntropy!.LogitsColumns(vocab, type);

    public void Forward(in AttentionArgs args)
    {
        if (log.IsOn)
        {
            Begin("fused-attention", FusedCost.Attention(args));
        }

        _attention!.Forward(args);
        log.End();
    }

    public void Backward(in AttentionArgs args, in AttentionGradients gradients)
    {
        if (log.IsOn)
        {
            Begin("fused-attention-backward", FusedCost.AttentionBackward(args, gradients));
        }

        _attention!.Backward(args, gradients);
        log.End();
    }

    public void Forward(in AttentionArgs args, in View kept)
    {
        if (log.IsOn)
        {
            Begin("fused-top-k-attention", FusedCost.TopKAttention(args, kept));
        }

        _topKAttention!.Forward(args, kept);
        log.End();
    }

    public void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients)
    {
        if (log.IsOn)
        {
            Begin("fused-top-k-attention-backward", FusedCost.TopKAttentionBackward(args, kept, gradients));
        }

        _topKAttention!.Backward(args, kept, gradients);
        log.End();
    }

    public void Forward(in CachedAttentionArgs args)
    {
        if (log.IsOn)
        {
            Begin("cached-attention", FusedCost.CachedAttention(args));
        }

        _cachedAttention!.Forward(args);
        log.End();
    }

    public void RmsNorm(in View x, in View gain, in View y, in View statistics, double epsilon)
    {
        if (log.IsOn)
        {
            Begin("rms-norm", FusedCost.Norm(x, gain, default, y, statistics, centered: false));
        }

        _norm!.RmsNorm(x, gain, y, statistics, epsilon);
        log.End();
    }

    public void RmsNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View scratch)
    {
        if (log.IsOn)
        {
            Begin("rms-norm-backward", FusedCost.NormBackward(x, gain, statistics, dy, dx, accumulateX, dGain, default));
        }

        _norm!.RmsNormBackward(x, gain, statistics, dy, dx, accumulateX, dGain, scratch);
        log.End();
    }

    public void LayerNorm(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon)
    {
        if (log.IsOn)
        {
            Begin("layer-norm", FusedCost.Norm(x, gain, bias, y, statistics, centered: true));
        }

        _norm!.LayerNorm(x, gain, bias, y, statistics, epsilon);
        log.End();
    }

    public void LayerNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch)
    {
        if (log.IsOn)
        {
            Begin("layer-norm-backward", FusedCost.NormBackward(x, gain, statistics, dy, dx, accumulateX, dGain, dBias));
        }

        _norm!.LayerNormBackward(x, gain, statistics, dy, dx, accumulateX, dGain, dBias, scratch);
        log.End();
    }

    public void Apply(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate)
    {
        if (log.IsOn)
        {
            Begin("rope", FusedCost.Rope(x, y, accumulate));
        }

        _rope!.Apply(x, y, table, positions, interleaved, inverse, accumulate);
        log.End();
    }

    public void Forward(in View logits, in View targets, in View losses, in View logSumExp, in View loss)
    {
        if (log.IsOn)
        {
            Begin("cross-entropy", FusedCost.CrossEntropy(logits, targets));
        }

        _crossEntropy!.Forward(logits, targets, losses, logSumExp, loss);
        log.End();
    }

    public void Backward(in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        if (log.IsOn)
        {
            Begin("cross-entropy-backward", FusedCost.CrossEntropyBackward(logits, targets, dLogits, accumulate));
        }

        _crossEntropy!.Backward(logits, targets, logSumExp, dLoss, dLogits, accumulate);
        log.End();
    }

    public void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, in View logits = default)
    {
        if (log.IsOn)
        {
            Begin("linear-cross-entropy", FusedCost.LinearCrossEntropy(x, weight, targets, logits));
        }

        _linearCrossEntropy!.Forward(x, weight, targets, losses, logSumExp, loss, scratch, logits);
        log.End();
    }

    public void Backward(
        in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch, in View logits = default)
    {
        if (log.IsOn)
        {
            Begin("linear-cross-entropy-backward", FusedCost.LinearCrossEntropyBackward(x, weight, targets, dX, accumulateX, dWeight, logits));
        }

        _linearCrossEntropy!.Backward(x, weight, targets, logSumExp, dLoss, dX, accumulateX, dWeight, scratch, logits);
        log.End();
    }

    public void AddSquares(in View gradient)
    {
        if (log.IsOn)
        {
            Begin("add-squares", FusedCost.Pass(gradient, flops: 2, streams: 1));
        }

        _optimizer!.AddSquares(gradient);
        log.End();
    }

    public void Decide(double clip, bool dynamicLossScale)
    {
        if (log.IsOn)
        {
            Begin("decide", default);
        }

        _optimizer!.Decide(clip, dynamicLossScale);
        log.End();
    }

    public void AdamW(
        in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor)
    {
        if (log.IsOn)
        {
            // Scale; two moving means, one of a square; the correction, root, ε, quotient; decay and step. Four vectors read, three written.
            Begin("adamw", FusedCost.Pass(parameter, flops: 15, streams: 7));
        }

        _optimizer!.AdamW(parameter, gradient, first, second, beta1, beta2, epsilon, decay, rateFactor);
        log.End();
    }

    public void MuonMomentum(in View gradient, in View momentum, in View update, double beta, bool nesterov)
    {
        if (log.IsOn)
        {
            Begin("muon-momentum", FusedCost.Pass(gradient, flops: nesterov ? 6 : 3, streams: 4));
        }

        _optimizer!.MuonMomentum(gradient, momentum, update, beta, nesterov);
        log.End();
    }

    public void NormalizeFrobenius(in View x, in View y, double epsilon)
    {
        if (log.IsOn)
        {
            Begin("normalize-frobenius", FusedCost.Pass(x, flops: 3, streams: 2));
        }

        _optimizer!.NormalizeFrobenius(x, y, epsilon);
        log.End();
    }

    public void MuonApply(in View parameter, in View update, double decay, double rateFactor)
    {
        if (log.IsOn)
        {
            Begin("muon-apply", FusedCost.Pass(parameter, flops: 4, streams: 3));
        }

        _optimizer!.MuonApply(parameter, update, decay, rateFactor);
        log.End();
    }

    public void Sort(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow)
    {
        if (log.IsOn)
        {
            Begin("expert-sort", new KernelCost(0, KernelCost.BytesOf(indices) + KernelCost.BytesOf(offsets) + KernelCost.BytesOf(rowOfSlot) + KernelCost.BytesOf(tokenOfRow)));
        }

        _routing!.Sort(indices, offsets, rowOfSlot, tokenOfRow);
        log.End();
    }

    public void Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
    {
        if (log.IsOn)
        {
            Begin("expert-combine", FusedCost.Combine(rows, weights, rowOfSlot, y, accumulate));
        }

        _routing!.Combine(rows, weights, rowOfSlot, y, accumulate);
        log.End();
    }

    public void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        if (log.IsOn)
        {
            Begin("expert-combine-backward", FusedCost.CombineBackward(rows, weights, rowOfSlot, dy, dRows, dWeights));
        }

        _routing!.CombineBackward(rows, weights, rowOfSlot, dy, dRows, dWeights);
        log.End();
    }

    public void Weights(in View probabilities, in View indices, in View weights, bool renormalize)
    {
        if (log.IsOn)
        {
            Begin("expert-weights", FusedCost.Pass(weights, flops: renormalize ? 2 : 0, streams: 3));
        }

        _routing!.Weights(probabilities, indices, weights, renormalize);
        log.End();
    }

    public void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
    {
        if (log.IsOn)
        {
            Begin("expert-weights-backward", FusedCost.Pass(weights, flops: renormalize ? 4 : 0, streams: 4) + new KernelCost(0, KernelCost.BytesOf(dProbabilities)));
        }

        _routing!.WeightsBackward(probabilities, indices, weights, dWeights, dProbabilities, renormalize);
        log.End();
    }

    public void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
    {
        if (log.IsOn)
        {
            Begin("router-loss", FusedCost.Pass(logits, flops: 4 + Formula.ExpFlops, streams: 2));
        }

        _routing!.RouterLoss(logits, probabilities, offsets, load, loss, balance, z);
        log.End();
    }

    public void RouterLossBackward(in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
    {
        if (log.IsOn)
        {
            Begin("router-loss-backward", FusedCost.Pass(logits, flops: 8 + Formula.ExpFlops, streams: accumulate ? 4 : 3));
        }

        _routing!.RouterLossBackward(logits, probabilities, load, dLoss, dLogits, balance, z, accumulate);
        log.End();
    }

    private void Begin(string name, in KernelCost cost) => log.Begin(EventKind.Kernel, name, cost);
}
