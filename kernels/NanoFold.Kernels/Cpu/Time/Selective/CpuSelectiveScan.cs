using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Time.Selective;

/// <summary>Selective scans on the CPU: an item is some channels of one row, through all of time.</summary>
public sealed unsafe class CpuSelectiveScan(CpuContext context) : IKernel<SelectiveScanCall>, IKernel<SelectiveScanBackwardCall>
{
    public void Run(in SelectiveScanCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.X.Layout;
        var work = new SelectiveForwardWork
        {
            Problem = new SelectiveProblem
            {
                Context = context,
                Walk = new Walk(shape, call.Continues, call.Counts, reverse: false, call.X.Type.Size(), SelectiveProblem.Channels),
                X = new Steps(call.X, shape),
                Delta = new Steps(call.Delta, shape),
                In = new Steps(call.In, call.In.Layout),
                Out = new Steps(call.Out, call.In.Layout),
                LogDecay = (byte*)call.LogDecay.Address,
                Skip = (byte*)call.Skip.Address,
                States = call.LogDecay.Layout[1],
            },
            Y = new Steps(call.Y, shape),
            State = (byte*)call.State.Address,
            Kept = (byte*)call.Kept.Address,
        };
        context.Run(call.X.Type, work.Problem.Walk.Items, ref work, call.X.Count * work.Problem.States >= Map.SmallElements / 4);
    }

    public void Run(in SelectiveScanBackwardCall call)
    {
        call.Check();
        RowCheck.Scratch(SelectiveScanBackwardCall.Name, call.Scratch, ScratchBytes(call));
        ref readonly Layout shape = ref call.X.Layout;
        int states = call.LogDecay.Layout[1];
        var walk = new Walk(shape, call.Continues, default, reverse: false, call.X.Type.Size(), SelectiveProblem.Channels);
        bool parallel = call.X.Count * states >= Map.SmallElements / 4;
        var work = new SelectiveBackwardWork
        {
            Problem = new SelectiveProblem
            {
                Context = context,
                Walk = walk,
                X = new Steps(call.X, shape),
                Delta = new Steps(call.Delta, shape),
                In = new Steps(call.In, call.In.Layout),
                Out = new Steps(call.Out, call.In.Layout),
                LogDecay = (byte*)call.LogDecay.Address,
                Skip = (byte*)call.Skip.Address,
                States = states,
            },
            Kept = (byte*)call.Kept.Address,
            DY = new Steps(call.DY, shape),
            DX = new Steps(call.DX, shape),
            DDelta = new Steps(call.DDelta, shape),
            AccumulateX = call.AccumulateX,
            AccumulateDelta = call.AccumulateDelta,
            Parts = new SelectiveParts((byte*)call.Scratch.Address, walk, states),
        };
        context.Run(call.X.Type, walk.Items, ref work, parallel);
        var sum = new SelectiveSumWork
        {
            Parts = work.Parts,
            DIn = new Steps(call.DIn, call.In.Layout),
            DOut = new Steps(call.DOut, call.In.Layout),
            AccumulateIn = call.AccumulateIn,
            AccumulateOut = call.AccumulateOut,
            DLogDecay = (byte*)call.DLogDecay.Address,
            DSkip = (byte*)call.DSkip.Address,
        };
        context.Run(call.X.Type, sum.Items, ref sum, parallel);
    }

    public long ScratchBytes(in SelectiveScanBackwardCall shape)
        => SelectiveParts.Bytes(new Walk(shape.X.Layout, default, default, reverse: false, shape.X.Type.Size(), SelectiveProblem.Channels), shape.LogDecay.Layout[1]);
}
