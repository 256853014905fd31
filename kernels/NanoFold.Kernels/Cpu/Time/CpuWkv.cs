using NanoFold.Kernels.Calls.Time;
using NanoFold.Kernels.Cpu.Pointwise;

namespace NanoFold.Kernels.Cpu.Time;

/// <summary>RWKV-4's time mixing on the CPU: an item walks 64 channels of one row through all of time, whose states of a chunk stay in the caches. Channels do not meet, so the cut changes no bit.</summary>
public sealed unsafe class CpuWkv(CpuContext context) : IKernel<WkvCall>, IKernel<WkvBackwardCall>
{
    public void Run(in WkvCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.K.Layout;
        var work = new WkvForwardWork
        {
            Walk = new Walk(shape, call.Continues, call.Counts, reverse: false, call.K.Type.Size(), Walk.Channels),
            K = new Steps(call.K, shape),
            V = new Steps(call.V, shape),
            Y = new Steps(call.Y, shape),
            Decay = (byte*)call.Decay.Address,
            Bonus = (byte*)call.Bonus.Address,
            State = (byte*)call.State.Address,
            Kept = (byte*)call.Kept.Address,
        };
        context.Run(call.K.Type, work.Walk.Items, ref work, call.K.Count >= Map.SmallElements / 16);
    }

    public void Run(in WkvBackwardCall call)
    {
        call.Check();
        ref readonly Layout shape = ref call.K.Layout;
        var work = new WkvBackwardWork
        {
            Context = context,
            Walk = new Walk(shape, call.Continues, default, reverse: false, call.K.Type.Size(), Walk.Channels),
            K = new Steps(call.K, shape),
            V = new Steps(call.V, shape),
            DY = new Steps(call.DY, shape),
            DK = new Steps(call.DK, shape),
            DV = new Steps(call.DV, shape),
            Decay = (byte*)call.Decay.Address,
            Bonus = (byte*)call.Bonus.Address,
            Kept = (byte*)call.Kept.Address,
            DDecay = (byte*)call.DDecay.Address,
            DBonus = (byte*)call.DBonus.Address,
            AccumulateK = call.AccumulateK,
            AccumulateV = call.AccumulateV,
        };
        context.Run(call.K.Type, work.Walk.Items, ref work, call.K.Count >= Map.SmallElements / 16);
    }
}
