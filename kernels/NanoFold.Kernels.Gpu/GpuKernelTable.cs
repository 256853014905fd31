using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Fused.Time;
using NanoFold.Kernels.Gpu.Attention.Cached;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Attention.Full;
using NanoFold.Kernels.Gpu.Attention.TopK;
using NanoFold.Kernels.Gpu.Experts;
using NanoFold.Kernels.Gpu.Loss;
using NanoFold.Kernels.Gpu.MatMul;
using NanoFold.Kernels.Gpu.Norm;
using NanoFold.Kernels.Gpu.Optimizers;
using NanoFold.Kernels.Gpu.Reduce;
using NanoFold.Kernels.Gpu.Rope;
using NanoFold.Kernels.Gpu.Rows;
using NanoFold.Kernels.Gpu.Time;

namespace NanoFold.Kernels.Gpu;

/// <summary>The one place where the GPU's kernels are chosen: the first fused kernel in the list that does what is asked for.</summary>
internal sealed class GpuKernelTable : IDisposable
{
    private readonly object[] _kernels;
    private readonly bool _composedOnly;

    /// <param name="context">What the kernels share.</param>
    /// <param name="composedOnly">Hides the kernels that have a composed path of plain ops, so that the two can be compared.</param>
    public GpuKernelTable(GpuContext context, bool composedOnly)
    {
        _composedOnly = composedOnly;
        MatMul = new GpuMatMul(context);
        Reduce = new GpuReduce(context);
        Softmax = new GpuSoftmax(context);
        Rows = new GpuRows(context);
        _kernels = Create(context, MatMul, Reduce);
    }

    public GpuMatMul MatMul { get; }

    public GpuReduce Reduce { get; }

    public GpuSoftmax Softmax { get; }

    public GpuRows Rows { get; }

    public IReadOnlyList<IKernel> Kernels => [.. _kernels.OfType<IKernel>()];

    public TKernel? FindInterface<TKernel>()
        where TKernel : class
    {
        if (_composedOnly && HasComposedPath(typeof(TKernel)))
        {
            return null;
        }

        foreach (object kernel in _kernels)
        {
            if (kernel is TKernel found)
            {
                return found;
            }
        }

        return null;
    }

    public void Dispose()
    {
        MatMul.Dispose();
        foreach (IDisposable kernel in _kernels.Where(k => k is not IKernel).OfType<IDisposable>())
        {
            kernel.Dispose();
        }
    }

    private static bool HasComposedPath(Type kernel)
        => kernel == typeof(IFusedAttention) || kernel == typeof(IFusedTopKAttention) || kernel == typeof(ILinearCrossEntropy);

    private static object[] Create(GpuContext context, GpuMatMul matMul, GpuReduce reduce)
    {
        var attention = new GpuFusedAttention(context);
        return
        [
            CudaFlashAttention.IsSupported(context) ? new CudaFlashAttention(context, attention) : attention,
            new GpuTopKAttention(context),
            new GpuCachedAttention(context),
            new GpuNorm(context),
            new GpuRope(context),
            new GpuCrossEntropy(context),
            new GpuLinearCrossEntropy(context, matMul),
            new GpuExpertRouting(context),
            new GpuOptimizer(context),
            new GpuMemoryRead(context),
            new GpuScan(context),
            new GpuConvolution(context),
            new GpuContinuation(context),
            new GpuRecurrent<Rnn>(context, matMul, reduce),
            new GpuRecurrent<Gru>(context, matMul, reduce),
            new GpuRecurrent<Lstm>(context, matMul, reduce),
        ];
    }
}
