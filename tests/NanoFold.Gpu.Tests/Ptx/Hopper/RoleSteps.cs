using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>What roles of warps need: fences, an elected lane, registers handed over.</summary>
internal static class RoleSteps
{
    // Any will do; not the first, which shows where the first is meant.
    private const int ElectedLane = 5;

    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i) => i.Opcode switch
    {
        "fence.proxy.async.shared::cta" => w =>
        {
            PtxTensorSteps.Whole(w);
            machine.Async.Shared.Fence(w);
        },
        "fence.mbarrier_init.release.cluster" => w =>
        {
            foreach (Mbarrier barrier in machine.Async.Mbarriers.Values.Where(b => b.Maker == w))
            {
                barrier.IsFenced = true;
            }
        },
        "elect.sync" => w =>
        {
            PtxTensorSteps.Whole(w);
            for (int lane = 0; lane < 32; lane++)
            {
                w[i.Operands[0][0].Register, lane] = lane == ElectedLane ? 1u : 0u;
            }
        },
        "setmaxnreg.inc.sync.aligned.u32" or "setmaxnreg.dec.sync.aligned.u32" => w =>
        {
            PtxTensorSteps.Whole(w);
            machine.Async.Registers.Set(w, (int)i.Operands[0][0].Number, i.Parts[1] == "inc");
        },
        _ => throw new NotSupportedException(i.Opcode),
    };
}
