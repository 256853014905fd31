using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Full;

namespace NanoFold.Kernels.Cpu.Attention.Selected;

/// <summary>Attention over means of blocks on the CPU, in the tiles of attention over lists. The same bits for any number of threads.</summary>
public sealed class CpuPooledAttention(CpuContext context) : IKernel<PooledAttentionCall>, IKernel<PooledAttentionBackwardCall>, IDisposable
{
    private readonly CallMemory _memory = new();

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public void Run(in PooledAttentionCall call)
    {
        call.Check();
        var problem = new AttentionProblem(PooledAttentionCall.Name, call.Args, _memory);
        var work = new SelectedForwardWork(context, new SelectedProblem(problem, call.Args, call.Blocks));
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others, or the scratch is too small.</exception>
    public void Run(in PooledAttentionBackwardCall call)
    {
        call.Check();
        var problem = new AttentionProblem(PooledAttentionBackwardCall.Name, call.Args, _memory);
        var gradients = new GradientProblem(PooledAttentionBackwardCall.Name, problem, call.Gradients);
        var work = new SelectedBackwardWork(context, new SelectedProblem(problem, call.Args, call.Blocks), problem, gradients);
        context.Run(problem.Type, work.Items, ref work);
        if (gradients.Plan.Parts > 1)
        {
            var sums = new GradientSumWork(problem, gradients);
            context.Run(problem.Type, sums.Items, ref sums);
        }
    }

    public long ScratchBytes(in PooledAttentionBackwardCall shape)
        => GradientPlan.ScratchBytes(new AttentionShape(PooledAttentionBackwardCall.Name, shape.Args));

    public void Dispose() => _memory.Dispose();
}
