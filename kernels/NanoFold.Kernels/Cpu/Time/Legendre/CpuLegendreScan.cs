using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Time.Legendre;

/// <summary>Legendre scans on the CPU: an item is some channels of one row, through all of time.</summary>
public sealed unsafe class CpuLegendreScan(CpuContext context) : IKernel<LegendreScanCall>, IKernel<LegendreScanBackwardCall>
{
    public void Run(in LegendreScanCall call)
    {
        call.Check();
        var work = new LegendreForwardWork
        {
            Problem = Problem(call.X, call.Delta, call.Out, call.Skip, call.Continues, call.Counts),
            Y = new Steps(call.Y, call.X.Layout),
            State = (byte*)call.State.Address,
            Kept = (byte*)call.Kept.Address,
        };
        context.Run(call.X.Type, work.Problem.Walk.Items, ref work, call.X.Count * work.Problem.States >= Map.SmallElements / 4);
    }

    public void Run(in LegendreScanBackwardCall call)
    {
        call.Check();
        RowCheck.Scratch(LegendreScanBackwardCall.Name, call.Scratch, ScratchBytes(call));
        var work = new LegendreBackwardWork
        {
            Problem = Problem(call.X, call.Delta, call.Out, call.Skip, call.Continues, default),
            Kept = (byte*)call.Kept.Address,
            DY = new Steps(call.DY, call.X.Layout),
            DX = new Steps(call.DX, call.X.Layout),
            AccumulateX = call.AccumulateX,
            Parts = (byte*)call.Scratch.Address,
        };
        bool parallel = call.X.Count * work.Problem.States >= Map.SmallElements / 4;
        context.Run(call.X.Type, work.Problem.Walk.Items, ref work, parallel);
        var sum = new LegendreSumWork
        {
            Parts = work.Parts,
            Rows = call.X.Layout[0],
            Width = call.X.Layout[2],
            States = work.Problem.States,
            DOut = (byte*)call.DOut.Address,
            DDelta = (byte*)call.DDelta.Address,
            DSkip = (byte*)call.DSkip.Address,
        };
        context.Run(call.X.Type, sum.Width, ref sum, parallel: false);
    }

    public long ScratchBytes(in LegendreScanBackwardCall shape)
        => (long)shape.X.Layout[0] * (shape.Out.Layout[1] + 2) * shape.X.Layout[2] * shape.X.Type.Size();

    private LegendreProblem Problem(in View x, in View delta, in View output, in View skip, in View continues, in View counts) => new()
    {
        Context = context,
        Walk = new Walk(x.Layout, continues, counts, reverse: false, x.Type.Size(), Walk.Channels),
        X = new Steps(x, x.Layout),
        Delta = (byte*)delta.Address,
        Out = (byte*)output.Address,
        Skip = (byte*)skip.Address,
        States = output.Layout[1],
    };
}
