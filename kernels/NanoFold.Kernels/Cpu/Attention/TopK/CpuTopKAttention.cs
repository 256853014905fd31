using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>
/// Top-k attention on the CPU: 2·D FLOPs for every visible pair and 2·D for every kept one forward, 10·D for every kept one backward.
/// The same bits for any number of threads.
/// </summary>
public sealed class CpuTopKAttention(CpuContext context) : IFusedTopKAttention, IDisposable
{
    private const string Op = "top-k attention";

    private readonly CallMemory _memory = new();

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit.</exception>
    public void Forward(in AttentionArgs args, in View kept)
    {
        var problem = new AttentionProblem(Op, args, _memory);
        var work = new TopKForwardWork(context, problem, new KeptKeys(Op, problem, kept));
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or the scratch is too small.</exception>
    public void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients)
    {
        var problem = new AttentionProblem(Op, args, _memory);
        var gradientProblem = new GradientProblem(Op, problem, gradients);
        var work = new TopKBackwardWork(context, problem, new KeptKeys(Op, problem, kept), gradientProblem);
        context.Run(problem.Type, work.Items, ref work);
        if (gradientProblem.Plan.Parts > 1)
        {
            var sums = new GradientSumWork(problem, gradientProblem);
            context.Run(problem.Type, sums.Items, ref sums);
        }
    }

    /// <inheritdoc/>
    public long BackwardScratchBytes(int batch, int time, int heads, int keyHeads, int headDim) =>
        new GradientPlan(batch, time, keyHeads).ScratchBytes(batch, time, keyHeads, headDim, headDim);

    public void Dispose() => _memory.Dispose();
}
