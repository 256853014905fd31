using NanoFold.Kernels.Cpu.Attention;
using NanoFold.Kernels.Cpu.RowKernels;

namespace NanoFold.Kernels.Cpu;

/// <summary>The CPU's fused kernels, a line each.</summary>
internal static class CpuKernels
{
    public static IReadOnlyList<IKernel> Create(CpuContext context) =>
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
        new CpuRouterLoss(context),
        new CpuMemoryRead(context),
    ];
}
