using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu.Attention.Full;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>Attention over lists of keys on the CPU: 4·D FLOPs for every key of a list forward, 10·D backward. The same bits for any number of threads.</summary>
public sealed class CpuKeyListAttention(CpuContext context) : IKernel<KeyListAttentionCall>, IKernel<KeyListAttentionBackwardCall>, IDisposable
{
    private readonly CallMemory _memory = new(), _reach = new();

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, or a list names what is not there.</exception>
    public void Run(in KeyListAttentionCall call)
    {
        call.Check();
        var problem = new AttentionProblem(KeyListAttentionCall.Name, call.Args, _memory);
        SeenKeys seen = Seen(KeyListAttentionCall.Name, problem, call.Args, call.Kept);
        var work = new KeyListForwardWork(context, problem, new QueryLists(call.Kept, problem.Heads, problem.Time, problem.Keys, seen), seen);
        context.Run(problem.Type, work.Items, ref work);
    }

    /// <exception cref="ArgumentException">A shape, stride, type or visibility does not fit, a list names what is not there, or the scratch is too small.</exception>
    public void Run(in KeyListAttentionBackwardCall call)
    {
        call.Check();
        var problem = new AttentionProblem(KeyListAttentionBackwardCall.Name, call.Args, _memory);
        var gradients = new GradientProblem(KeyListAttentionBackwardCall.Name, problem, call.Gradients);
        SeenKeys seen = Seen(KeyListAttentionBackwardCall.Name, problem, call.Args, call.Kept);
        var work = new KeyListBackwardWork(context, problem, new QueryLists(call.Kept, problem.Heads, problem.Time, problem.Keys, seen), gradients);
        context.Run(problem.Type, work.Items, ref work);
        if (gradients.Plan.Parts > 1)
        {
            var sums = new GradientSumWork(problem, gradients);
            context.Run(problem.Type, sums.Items, ref sums);
        }
    }

    public long ScratchBytes(in KeyListAttentionBackwardCall shape)
        => GradientPlan.ScratchBytes(new AttentionShape(KeyListAttentionBackwardCall.Name, shape.Args));

    public void Dispose()
    {
        _memory.Dispose();
        _reach.Dispose();
    }

    private SeenKeys Seen(string op, in AttentionProblem problem, in AttentionArgs args, in KeptKeys kept)
        => new(op, args.Visible, problem.Batch, problem.Time, problem.Keys, kept.Positions, kept.Counts, _reach);
}
