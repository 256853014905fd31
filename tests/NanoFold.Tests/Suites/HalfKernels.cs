using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Attention.TopK;
using NanoFold.Kernels.Cpu.Experts;
using NanoFold.Kernels.Cpu.Loss;
using NanoFold.Kernels.Cpu.Norm;
using NanoFold.Kernels.Cpu.Optimizers;
using NanoFold.Kernels.Cpu.Rope;
using NanoFold.Kernels.Fused;

namespace NanoFold.Tests.Suites;

/// <summary>The fused kernels of <see cref="HalfBackend"/>. Rows of kept logits are longer than the vocabulary, as on a device that aligns them.</summary>
internal sealed class HalfKernels(CpuBackend cpu) :
    IFusedAttention, IFusedTopKAttention, ICachedAttention, INormKernels, IRopeKernel, ICrossEntropyKernel, ILinearCrossEntropy, IOptimizerKernels, IExpertRouting
{
    private const int LogitsAlignment = 8;

    private readonly CpuFusedAttention _attention = new(cpu.Context);
    private readonly CpuTopKAttention _topK = new(cpu.Context);
    private readonly CpuCachedAttention _cached = new(cpu.Context);
    private readonly CpuNorm _norm = new(cpu.Context);
    private readonly CpuRope _rope = new(cpu.Context);
    private readonly CpuCrossEntropy _crossEntropy = new(cpu.Context);
    private readonly CpuLinearCrossEntropy _linearCrossEntropy = new(cpu.Context);
    private readonly CpuOptimizer _optimizer = new(cpu.Context);
    private readonly CpuExpertRouting _routing = new(cpu.Context);

    long IFusedAttention.BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim) => _attention.BackwardScratchBytes(batch, time, heads, keyHeads, headDim);

    long IFusedTopKAttention.BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim) => _topK.BackwardScratchBytes(batch, time, heads, keyHeads, headDim);

    public long BackwardScratchBytes(long rows, int width, DType type) => _norm.BackwardScratchBytes(rows, width, type.Sum());

    public long ScratchBytes(long rows, int width, int vocab, bool keepsLogits) => _linearCrossEntropy.ScratchBytes(rows, width, vocab, keepsLogits);

    public bool KeepsLogits(long rows, int vocab, DType type) => _linearCrossEntropy.KeepsLogits(rows, vocab, type);

    public int LogitsColumns(int vocab, DType type) => type.Is16Bit() ? (vocab + LogitsAlignment - 1) / LogitsAlignment * LogitsAlignment : vocab;

    public void Forward(in AttentionArgs args)
    {
        using var half = new HalfOperands();
        _attention.Forward(Attention(half, args, isForward: true));
    }

    public void Backward(in AttentionArgs args, in AttentionGradients gradients)
    {
        using var half = new HalfOperands();
        _attention.Backward(Attention(half, args, isForward: false), Gradients(half, gradients));
    }

    public void Forward(in AttentionArgs args, in View kept)
    {
        using var half = new HalfOperands();
        _topK.Forward(Attention(half, args, isForward: true), kept);
    }

    public void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients)
    {
        using var half = new HalfOperands();
        _topK.Backward(Attention(half, args, isForward: false), kept, Gradients(half, gradients));
    }

    public void Forward(in CachedAttentionArgs args)
    {
        using var half = new HalfOperands();
        _cached.Forward(new CachedAttentionArgs
        {
            Q = half.In(args.Q),
            K = half.In(args.K),
            V = half.In(args.V),
            Y = half.Out(args.Y),
            KeyCache = half.Out(args.KeyCache),
            ValueCache = half.Out(args.ValueCache),
            Positions = args.Positions,
            Counts = args.Counts,
            Scale = args.Scale,
            Visible = args.Visible,
            TopK = args.TopK,
        });
    }

    public void RmsNorm(in View x, in View gain, in View y, in View statistics, double epsilon)
    {
        using var half = new HalfOperands();
        _norm.RmsNorm(half.In(x), half.In(gain), half.Out(y), HalfOperands.Sum(statistics), epsilon);
    }

    public void RmsNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View scratch)
    {
        using var half = new HalfOperands();
        _norm.RmsNormBackward(
            half.In(x), half.In(gain), HalfOperands.Sum(statistics), half.In(dy), half.Out(dx), accumulateX, HalfOperands.Sum(dGain), HalfOperands.Sum(scratch));
    }

    public void LayerNorm(in View x, in View gain, in View bias, in View y, in View statistics, double epsilon)
    {
        using var half = new HalfOperands();
        _norm.LayerNorm(half.In(x), half.In(gain), half.In(bias), half.Out(y), HalfOperands.Sum(statistics), epsilon);
    }

    public void LayerNormBackward(in View x, in View gain, in View statistics, in View dy, in View dx, bool accumulateX, in View dGain, in View dBias, in View scratch)
    {
        using var half = new HalfOperands();
        _norm.LayerNormBackward(
            half.In(x), half.In(gain), HalfOperands.Sum(statistics), half.In(dy), half.Out(dx), accumulateX,
            HalfOperands.Sum(dGain), HalfOperands.Sum(dBias), HalfOperands.Sum(scratch));
    }

    public void Apply(in View x, in View y, in View table, in View positions, bool interleaved, bool inverse, bool accumulate)
    {
        using var half = new HalfOperands();
        _rope.Apply(half.In(x), half.Out(y), HalfOperands.Sum(table), positions, interleaved, inverse, accumulate);
    }

    public void Forward(in View logits, in View targets, in View losses, in View logSumExp, in View loss)
    {
        using var half = new HalfOperands();
        _crossEntropy.Forward(half.In(logits), targets, HalfOperands.Sum(losses), HalfOperands.Sum(logSumExp), HalfOperands.Sum(loss));
    }

    public void Backward(in View logits, in View targets, in View logSumExp, in View dLoss, in View dLogits, bool accumulate)
    {
        using var half = new HalfOperands();
        _crossEntropy.Backward(half.In(logits), targets, HalfOperands.Sum(logSumExp), HalfOperands.Sum(dLoss), half.Out(dLogits), accumulate);
    }

    public void Forward(in View x, in View weight, in View targets, in View losses, in View logSumExp, in View loss, in View scratch, in View logits = default)
    {
        using var half = new HalfOperands();
        _linearCrossEntropy.Forward(
            half.In(x), half.In(weight), targets, HalfOperands.Sum(losses), HalfOperands.Sum(logSumExp), HalfOperands.Sum(loss), HalfOperands.Sum(scratch), half.Out(logits));
    }

    public void Backward(
        in View x, in View weight, in View targets, in View logSumExp, in View dLoss, in View dX, bool accumulateX, in View dWeight, in View scratch, in View logits = default)
    {
        using var half = new HalfOperands();
        _linearCrossEntropy.Backward(
            half.In(x), half.In(weight), targets, HalfOperands.Sum(logSumExp), HalfOperands.Sum(dLoss), half.Out(dX), accumulateX, HalfOperands.Sum(dWeight),
            HalfOperands.Sum(scratch), half.Out(logits));
    }

    public void AddSquares(in View gradient) => _optimizer.AddSquares(gradient);

    public void Decide(double clip, bool dynamicLossScale) => _optimizer.Decide(clip, dynamicLossScale);

    public void AdamW(in View parameter, in View gradient, in View first, in View second, double beta1, double beta2, double epsilon, double decay, double rateFactor)
        => _optimizer.AdamW(parameter, gradient, first, second, beta1, beta2, epsilon, decay, rateFactor);

    public void MuonMomentum(in View gradient, in View momentum, in View update, double beta, bool nesterov) => _optimizer.MuonMomentum(gradient, momentum, update, beta, nesterov);

    public void NormalizeFrobenius(in View x, in View y, double epsilon) => _optimizer.NormalizeFrobenius(x, y, epsilon);

    public void MuonApply(in View parameter, in View update, double decay, double rateFactor) => _optimizer.MuonApply(parameter, update, decay, rateFactor);

    public void Sort(in View indices, in View offsets, in View rowOfSlot, in View tokenOfRow) => _routing.Sort(indices, offsets, rowOfSlot, tokenOfRow);

    public void Combine(in View rows, in View weights, in View rowOfSlot, in View y, bool accumulate)
    {
        using var half = new HalfOperands();
        _routing.Combine(half.In(rows), half.In(weights), rowOfSlot, half.Out(y), accumulate);
    }

    public void CombineBackward(in View rows, in View weights, in View rowOfSlot, in View dy, in View dRows, in View dWeights)
    {
        using var half = new HalfOperands();
        _routing.CombineBackward(half.In(rows), half.In(weights), rowOfSlot, half.In(dy), half.Out(dRows), half.Out(dWeights));
    }

    public void Weights(in View probabilities, in View indices, in View weights, bool renormalize)
    {
        using var half = new HalfOperands();
        _routing.Weights(half.In(probabilities), indices, half.Out(weights), renormalize);
    }

    public void WeightsBackward(in View probabilities, in View indices, in View weights, in View dWeights, in View dProbabilities, bool renormalize)
    {
        using var half = new HalfOperands();
        _routing.WeightsBackward(half.In(probabilities), indices, half.In(weights), half.In(dWeights), half.Out(dProbabilities), renormalize);
    }

    public void RouterLoss(in View logits, in View probabilities, in View offsets, in View load, in View loss, double balance, double z)
    {
        using var half = new HalfOperands();
        _routing.RouterLoss(half.In(logits), half.In(probabilities), offsets, HalfOperands.Sum(load), HalfOperands.Sum(loss), balance, z);
    }

    public void RouterLossBackward(in View logits, in View probabilities, in View load, in View dLoss, in View dLogits, double balance, double z, bool accumulate)
    {
        using var half = new HalfOperands();
        _routing.RouterLossBackward(
            half.In(logits), half.In(probabilities), HalfOperands.Sum(load), HalfOperands.Sum(dLoss), half.Out(dLogits), balance, z, accumulate);
    }

    private static AttentionArgs Attention(HalfOperands half, in AttentionArgs args, bool isForward) => new()
    {
        Q = half.In(args.Q),
        K = half.In(args.K),
        V = half.In(args.V),
        Y = isForward ? half.Out(args.Y) : half.In(args.Y),
        LogSumExp = HalfOperands.Sum(args.LogSumExp),
        Scale = args.Scale,
        Visible = args.Visible,
    };

    private static AttentionGradients Gradients(HalfOperands half, in AttentionGradients gradients) => new()
    {
        DY = half.In(gradients.DY),
        DQ = half.Out(gradients.DQ),
        DK = half.Out(gradients.DK),
        DV = half.Out(gradients.DV),
        AccumulateQ = gradients.AccumulateQ,
        AccumulateK = gradients.AccumulateK,
        AccumulateV = gradients.AccumulateV,
        Scratch = HalfOperands.Sum(gradients.Scratch),
    };
}
