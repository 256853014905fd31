using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention.Full;

/// <summary>
/// Attention on the CPU, tile by tile with the online softmax; never T × T. Costs 4·D FLOPs a visible pair forward and 10·D backward,
/// and nothing for blocks outside the causal half, the window or the documents' ranges. The same bits for any number of threads.
/// Beyond the contract, v and y may have another head dimension than q and k, and k and v more positions than q.
/// </summary>
public sealed class CpuFusedAttention(CpuContext context) : IKernel<AttentionCall>, IKernel<AttentionBackwardCall>
{
    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Run(in AttentionCall call)
    {
        var problem = new AttentionProblem(AttentionCall.Name, call.Args);
        var work = new ForwardWork(context, problem);
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Run(in AttentionBackwardCall call)
    {
        var problem = new AttentionProblem(AttentionBackwardCall.Name, call.Args);
        var gradientProblem = new GradientProblem(AttentionBackwardCall.Name, problem, call.Gradients);
        var work = new BackwardWork(context, problem, gradientProblem);
        context.Run(problem.Type, work.Items, ref work);
        if (gradientProblem.Plan.Parts > 1)
        {
            var sums = new GradientSumWork(problem, gradientProblem);
            context.Run(problem.Type, sums.Items, ref sums);
        }
    }

    public long ScratchBytes(in AttentionBackwardCall shape) 
        => GradientPlan.ScratchBytes(new AttentionShape(AttentionBackwardCall.Name, shape.Args));
}
