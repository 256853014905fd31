using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>
/// Linear recurrences on the CPU: a work item walks some channels of one row through all of time, four lanes of channels at once where there are as many,
/// so that no addition waits for the one before. Channels do not meet, so the cut changes no bit.
/// </summary>
public sealed unsafe class CpuScan(CpuContext context) : IKernel<ScanCall>, IKernel<ScanBackwardCall>
{
    public void Run(in ScanCall call)
    {
        call.Check();
        var work = new ScanWork
        {
            Walk = new Walk(call.X.Layout, call.Continues, call.Counts, call.Reverse, call.X.Type.Size()),
            A = new Steps(call.A, call.X.Layout),
            X = new Steps(call.X, call.X.Layout),
            H = new Steps(call.H, call.X.Layout),
            Initial = (byte*)call.Initial.Address,
            Final = (byte*)call.Final.Address,
        };
        context.Run(call.X.Type, work.Walk.Items, ref work, call.X.Count >= Map.SmallElements / 4);
    }

    public void Run(in ScanBackwardCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.H.Layout;
        var work = new ScanBackwardWork
        {
            Walk = new Walk(shape, call.Continues, default, call.Reverse, call.H.Type.Size()),
            A = new Steps(call.A, shape),
            H = new Steps(call.H, shape),
            DH = new Steps(call.DH, shape),
            DX = new Steps(call.DX, shape),
            DA = new Steps(call.DA, shape),
            Initial = (byte*)call.Initial.Address,
            DFinal = (byte*)call.DFinal.Address,
            DInitial = (byte*)call.DInitial.Address,
            AccumulateX = call.AccumulateX,
            AccumulateA = call.AccumulateA,
            AccumulateInitial = call.AccumulateInitial,
        };
        context.Run(call.H.Type, work.Walk.Items, ref work, call.H.Count >= Map.SmallElements / 4);
    }
}
