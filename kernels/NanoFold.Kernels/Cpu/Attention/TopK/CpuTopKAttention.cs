using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Full;

namespace NanoFold.Kernels.Cpu.Attention.TopK;

/// <summary>
/// Top-k attention on the CPU: 2·D FLOPs for every visible pair and 2·D for every kept one forward, 10·D for every kept one backward.
/// The same bits for any number of threads.
/// </summary>
public sealed class CpuTopKAttention(CpuContext context) : IKernel<TopKAttentionCall>, IKernel<TopKAttentionBackwardCall>, IDisposable
{
    private readonly CallMemory _memory = new();

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit.</exception>
    public void Run(in TopKAttentionCall call)
    {
        call.Check();
        var problem = new AttentionProblem(TopKAttentionCall.Name, call.Args, _memory);
        var work = new TopKForwardWork(context, problem, new KeptKeys(call.Kept));
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or the scratch is too small.</exception>
    public void Run(in TopKAttentionBackwardCall call)
    {
        call.Check();
        var problem = new AttentionProblem(TopKAttentionBackwardCall.Name, call.Args, _memory);
        var gradientProblem = new GradientProblem(TopKAttentionBackwardCall.Name, problem, call.Gradients);
        var work = new TopKBackwardWork(context, problem, new KeptKeys(call.Kept), gradientProblem);
        context.Run(problem.Type, work.Items, ref work);
        if (gradientProblem.Plan.Parts > 1)
        {
            var sums = new GradientSumWork(problem, gradientProblem);
            context.Run(problem.Type, sums.Items, ref sums);
        }
    }

    public long ScratchBytes(in TopKAttentionBackwardCall shape)
        => GradientPlan.ScratchBytes(new AttentionShape(TopKAttentionBackwardCall.Name, shape.Args));

    public void Dispose() => _memory.Dispose();
}
