using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Gpu.Attention;
using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.MatMul;
using NanoFold.Kernels.Gpu.Reduce;
using NanoFold.Kernels.Gpu.Rows;

namespace NanoFold.Kernels.Gpu;

/// <summary>The one place where the GPU's kernels are chosen: the first fused kernel in the list that does what is asked for.</summary>
/// <param name="context">What the kernels share.</param>
/// <param name="composedOnly">Hides the kernels that have a composed path of plain ops, so that the two can be compared.</param>
internal sealed class GpuKernelTable(GpuContext context, bool composedOnly) : IDisposable
{
    private readonly object[] _kernels = Create(context);

    public GpuMatMul MatMul { get; } = new(context);

    public GpuReduce Reduce { get; } = new(context);

    public GpuSoftmax Softmax { get; } = new(context);

    public GpuRows Rows { get; } = new(context);

    public TKernel? Find<TKernel>()
        where TKernel : class
    {
        if (composedOnly && HasComposedPath(typeof(TKernel)))
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
        foreach (IDisposable kernel in _kernels.OfType<IDisposable>())
        {
            kernel.Dispose();
        }
    }

    private static bool HasComposedPath(Type kernel)
        => kernel == typeof(IFusedAttention) || kernel == typeof(IFusedTopKAttention) || kernel == typeof(ILinearCrossEntropy);

    private static object[] Create(GpuContext context)
    {
        var attention = new GpuFusedAttention(context);
        return
        [
            CudaFlashAttention.IsSupported(context) ? new CudaFlashAttention(context, attention) : attention, new GpuTopKAttention(context),
            new GpuCachedAttention(context),
        ];
    }
}
