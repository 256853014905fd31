using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Attention on the CPU, tile by tile with the online softmax; never T × T. Costs 4·D FLOPs a visible pair forward and 10·D backward,
/// and nothing for blocks that nothing is visible in: out of order, out of the window, of other documents, not listed. The same bits for any
/// number of threads. Values may be wider or narrower than keys, and there may be more keys than queries.
/// </summary>
public sealed class CpuFusedAttention(CpuContext context) : IFusedAttention, IDisposable
{
    private const string Op = "attention";

    private readonly CallMemory _memory = new();

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Forward(in AttentionArgs args)
    {
        var work = new ForwardWork(context, new AttentionProblem(Op, args, _memory));
        context.Run(args.Q.Type, work.Items, ref work);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Backward(in AttentionArgs args, in AttentionGradients gradients)
    {
        var problem = new AttentionProblem(Op, args, _memory);
        var gradientProblem = new GradientProblem(Op, problem, gradients);
        var work = new BackwardWork(context, problem, gradientProblem);
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
