using NanoFold.Kernels.Cpu.Attention.Full;
using NanoFold.Kernels.Fused;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>
/// Top-k attention on the CPU: 2·D FLOPs for every causal pair and 2·D for every kept one forward, 10·D for every kept one backward.
/// The same bits for any number of threads.
/// </summary>
public sealed class CpuTopKAttention(CpuContext context) : IFusedTopKAttention
{
    private const string Op = "top-k attention";

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride, type or mask does not fit.</exception>
    public void Forward(in AttentionArgs args, in View kept)
    {
        AttentionProblem problem = Problem(args);
        var work = new TopKForwardWork(context, problem, new KeptKeys(Op, problem, kept));
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A shape, stride, type or mask does not fit, or the scratch is too small.</exception>
    public void Backward(in AttentionArgs args, in View kept, in AttentionGradients gradients)
    {
        AttentionProblem problem = Problem(args);
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

    private static AttentionProblem Problem(in AttentionArgs args) =>
        args.Mask is { Causal: true, Window: 0, Sinks: 0 }
            ? new AttentionProblem(Op, args)
            : throw new ArgumentException(
                $"{Op}: the mask must be plain causal, got causal {args.Mask.Causal}, window {args.Mask.Window}, sinks {args.Mask.Sinks}");
}
