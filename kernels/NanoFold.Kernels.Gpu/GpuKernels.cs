using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Cached;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Full;
using NanoFold.Kernels.Gpu.Attention.Listed;
using NanoFold.Kernels.Gpu.Attention.Selected;
using NanoFold.Kernels.Gpu.Experts;
using NanoFold.Kernels.Gpu.Loss;
using NanoFold.Kernels.Gpu.MatMul;
using NanoFold.Kernels.Gpu.Norm;
using NanoFold.Kernels.Gpu.Optimizers;
using NanoFold.Kernels.Gpu.Pointwise;
using NanoFold.Kernels.Gpu.RecurrentHeads;
using NanoFold.Kernels.Gpu.Reduce;
using NanoFold.Kernels.Gpu.Residuals;
using NanoFold.Kernels.Gpu.Rope;
using NanoFold.Kernels.Gpu.Time;
using NanoFold.Kernels.Gpu.Time.Legendre;
using NanoFold.Kernels.Gpu.Time.Selective;

namespace NanoFold.Kernels.Gpu;

/// <summary>The fused kernels of a GPU, a line each.</summary>
internal static class GpuKernels
{
    public static IReadOnlyList<IKernel> Create(GpuContext context, GpuMatMul matMul, GpuReduce reduce, bool fuses)
    {
        var rope = new GpuRope(context);
        return
        [
            .. Attention(context, rope),
            new GpuKeySelection(context),
            new GpuKeyListAttention(context),
            new GpuCacheAppend(context),
            new GpuIndexLoss(context),
            new GpuCachedAttention(context),
            new GpuBlockMean(context),
            new GpuBlockChoice(context),
            new GpuPooledAttention(context),
            new GpuNorm(context),
            rope,
            new GpuRopeRows(context),
            new GpuMixStreams(context),
            new GpuStreamGates(context),
            new GpuDepthAttention(context),
            .. fuses ? [new GpuGatedLinear(context, matMul), new GpuRotaryLinear(matMul, rope)] : Array.Empty<IKernel>(),
            new GpuCrossEntropy(context),
            new GpuLinearCrossEntropy(context, matMul),
            new GpuSquaredError(context),
            new GpuLossTerm(context),
            new GpuExpertRouting(context),
            new GpuExpertChoice(context),
            new GpuRouterLoss(context),
            new GpuOptimizer(context),
            new GpuMemoryRead(context),
            new GpuAxis(context),
            new GpuIntegers(context),
            new GpuRecurrentHeads(context),
            new GpuScan(context),
            new GpuMaxScan(context),
            new GpuWkv(context),
            new GpuMix(context),
            new GpuSelectiveScan(context),
            new GpuLegendreScan(context),
            new GpuConvolution(context),
            new GpuContinuation(context),
            new GpuRecurrent<Rnn>(context, matMul, reduce),
            new GpuRecurrent<Gru>(context, matMul, reduce),
            new GpuRecurrent<Lstm>(context, matMul, reduce),
        ];
    }

    /// <summary>None where its tiles do not fit into shared memory, and on a processor, to which barriers cost more than tiles save: products and a softmax do it there.</summary>
    private static IEnumerable<IKernel> Attention(GpuContext context, GpuRope rope)
    {
        if (context.IsProcessor || context.SharedBytes < GpuFusedAttention.SharedBytes)
        {
            return [];
        }

        var attention = new GpuFusedAttention(context);
        if (!CudaFlashAttention.IsSupported(context))
        {
            return [attention, new GpuRotaryAttention(attention, null, rope)];
        }

        var flash = new CudaFlashAttention(context, attention);
        return [flash, new GpuRotaryAttention(flash, flash, rope)];
    }
}
