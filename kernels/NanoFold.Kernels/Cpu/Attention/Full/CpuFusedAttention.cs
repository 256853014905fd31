using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Selected;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Attention on the CPU, tile by tile with the online softmax; never T × T. Costs 2·(D + DV) FLOPs a visible pair forward and 6·D + 4·DV backward,
/// and nothing for blocks that nothing is visible in: out of order, out of the window, of other documents, not listed. The same bits for any
/// number of threads. Values may be wider or narrower than keys and have fewer heads, and there may be more keys than queries. Decays and caps cost a pass over each
/// block of scores, sink logits nothing.
/// </summary>
public sealed class CpuFusedAttention(CpuContext context) : IKernel<AttentionCall>, IKernel<AttentionBackwardCall>, IDisposable
{
    private readonly CallMemory _memory = new();

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Run(in AttentionCall call)
    {
        var problem = new AttentionProblem(AttentionCall.Name, call.Args, _memory);
        if (problem.Shape.HasListsOfFew(BlockSizes.QueryUnit))
        {
            var selected = new SelectedForwardWork(context, new SelectedProblem(problem, call.Args));
            context.Run(problem.Type, selected.Items, ref selected);
            return;
        }

        var work = new AttentionForwardWork(context, problem);
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Run(in AttentionBackwardCall call)
    {
        var problem = new AttentionProblem(AttentionBackwardCall.Name, call.Args, _memory);
        var gradientProblem = new GradientProblem(AttentionBackwardCall.Name, problem, call.Gradients);
        if (problem.Shape.HasListsOfFew(BlockSizes.QueryUnit))
        {
            var selected = new SelectedBackwardWork(context, new SelectedProblem(problem, call.Args), problem, gradientProblem);
            context.Run(problem.Type, selected.Items, ref selected);
        }
        else
        {
            var work = new AttentionBackwardWork(context, problem, gradientProblem);
            context.Run(problem.Type, work.Items, ref work);
        }

        if (gradientProblem.Plan.Parts > 1)
        {
            var sums = new GradientSumWork(problem, gradientProblem);
            context.Run(problem.Type, sums.Items, ref sums);
        }

        if (gradientProblem.WantsSinkLogits || (gradientProblem.WantsDecay && problem.HasSinkLogits))
        {
            var sinks = new SinkGradientWork(problem, gradientProblem);
            context.Run(problem.Type, sinks.Items, ref sinks);
        }
    }

    public long ScratchBytes(in AttentionBackwardCall shape)
        => GradientPlan.ScratchBytes(new AttentionShape(AttentionBackwardCall.Name, shape.Args));

    public void Dispose() => _memory.Dispose();
}
