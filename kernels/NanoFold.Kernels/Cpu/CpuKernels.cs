using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Attention.Listed;
using NanoFold.Kernels.Cpu.Attention.Selected;
using NanoFold.Kernels.Cpu.Experts;
using NanoFold.Kernels.Cpu.Loss;
using NanoFold.Kernels.Cpu.Norm;
using NanoFold.Kernels.Cpu.Optimizers;
using NanoFold.Kernels.Cpu.Pointwise;
using NanoFold.Kernels.Cpu.RecurrentHeads;
using NanoFold.Kernels.Cpu.Reduce;
using NanoFold.Kernels.Cpu.Residuals;
using NanoFold.Kernels.Cpu.Rope;
using NanoFold.Kernels.Cpu.Rows;
using NanoFold.Kernels.Cpu.Time;
using NanoFold.Kernels.Cpu.Time.Legendre;
using NanoFold.Kernels.Cpu.Time.Selective;

namespace NanoFold.Kernels.Cpu;

/// <summary>The CPU's fused kernels, a line each.</summary>
internal static class CpuKernels
{
    public static IReadOnlyList<IKernel> Create(CpuContext context) =>
    [
        new CpuFusedAttention(context),
        new CpuKeySelection(context),
        new CpuKeyListAttention(context),
        new CpuCacheAppend(context),
        new CpuIndexLoss(context),
        new CpuCachedAttention(context),
        new CpuBlockMean(context),
        new CpuBlockChoice(context),
        new CpuPooledAttention(context),
        new CpuNorm(context),
        new CpuRope(context),
        new CpuRopeRows(context),
        new CpuMixStreams(context),
        new CpuStreamGates(context),
        new CpuDepthAttention(context),
        new CpuCrossEntropy(context),
        new CpuLinearCrossEntropy(context),
        new CpuSquaredError(context),
        new CpuLossTerm(context),
        new CpuOptimizer(context),
        new CpuExpertRouting(context),
        new CpuExpertChoice(context),
        new CpuRouterLoss(context),
        new CpuMemoryRead(context),
        new CpuMaximum(context),
        new CpuCumulativeSum(context),
        new CpuAlong(context),
        new CpuIntegers(context),
        new CpuScan(context),
        new CpuMaxScan(context),
        new CpuWkv(context),
        new CpuMix(context),
        new CpuSelectiveScan(context),
        new CpuLegendreScan(context),
        new CpuConvolution(context),
        new CpuContinuation(context),
        new CpuRecurrentHeads(context),
        new CpuRecurrent<Rnn>(context),
        new CpuRecurrent<Gru>(context),
        new CpuRecurrent<Lstm>(context),
    ];
}
