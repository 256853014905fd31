using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Cpu.Attention.TopK;
using NanoFold.Kernels.Cpu.Experts;
using NanoFold.Kernels.Cpu.Loss;
using NanoFold.Kernels.Cpu.Norm;
using NanoFold.Kernels.Cpu.Optimizers;
using NanoFold.Kernels.Cpu.Reduce;
using NanoFold.Kernels.Cpu.Rope;
using NanoFold.Kernels.Cpu.Time;
using NanoFold.Kernels.Fused;
using NanoFold.Kernels.Fused.Time;

namespace NanoFold.Kernels.Cpu;

/// <summary>The one place where the CPU's fused kernels are chosen: the first in the list that does what is asked for.</summary>
/// <param name="context">What the kernels share.</param>
/// <param name="composedOnly">Hides the kernels that have a composed path of plain ops, so that the two can be compared.</param>
public sealed class CpuKernelTable(CpuContext context, bool composedOnly) : IDisposable
{
    private readonly object[] _kernels = Create(context);

    public IReadOnlyList<IKernel> Kernels => [.. _kernels.OfType<IKernel>()];

    public TKernel? FindInterface<TKernel>()
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
        foreach (IDisposable kernel in _kernels.Where(k => k is not IKernel).OfType<IDisposable>())
        {
            kernel.Dispose();
        }
    }

    private static bool HasComposedPath(Type kernel)
        => kernel == typeof(IFusedAttention) || kernel == typeof(IFusedTopKAttention) || kernel == typeof(ILinearCrossEntropy);

    private static object[] Create(CpuContext context) =>
    [
        new CpuFusedAttention(context),
        new CpuTopKAttention(context),
        new CpuCachedAttention(context),
        new CpuNorm(context),
        new CpuRope(context),
        new CpuCrossEntropy(context),
        new CpuLinearCrossEntropy(context),
        new CpuOptimizer(context),
        new CpuExpertRouting(context),
        new CpuMemoryRead(context),
        new CpuScan(context),
        new CpuConvolution(context),
        new CpuContinuation(context),
        new CpuRecurrent<Rnn>(context),
        new CpuRecurrent<Gru>(context),
        new CpuRecurrent<Lstm>(context),
    ];
}
