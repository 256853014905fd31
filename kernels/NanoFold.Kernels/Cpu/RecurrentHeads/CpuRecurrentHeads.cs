using NanoFold.Kernels.Calls.RecurrentHeads;
using NanoFold.Kernels.Cpu.Attention;

namespace NanoFold.Kernels.Cpu.RecurrentHeads;

/// <summary>Recurrent heads on the CPU.</summary>
public sealed unsafe class CpuRecurrentHeads(CpuContext context) : IKernel<RecurrentHeadsCall>, IKernel<RecurrentHeadsBackwardCall>
{
    public void Run(in RecurrentHeadsCall call)
    {
        call.Check();
        var work = new StepWork
        {
            Context = context,
            Problem = new HeadsProblem(RecurrentHeadsCall.Name, call.Args),
            Y = new HeadRows(call.Y),
            Final = call.Final.Address,
            Counts = call.Counts.Ints,
        };
        context.Run(call.Y.Type, work.Items, ref work);
    }

    public void Run(in RecurrentHeadsBackwardCall call)
    {
        call.Check();
        var problem = new HeadsProblem(RecurrentHeadsBackwardCall.Name, call.Args);
        var work = new PlainBackwardWork { Problem = problem, Call = call };
        context.Run(call.DY.Type, problem.Batch, ref work);
    }
}
