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

/// <summary>Registers of a multiprocessor, and how many of them a thread of each warp has.</summary>
internal sealed class RegisterPool
{
    private const int All = 65536;

    private readonly int[] _has;
    private int _free;

    public RegisterPool(int warps)
    {
        // As the assembler does for one block a multiprocessor.
        int each = Math.Min(255, All / (32 * warps) / 8 * 8);
        _has = [.. Enumerable.Repeat(each, warps)];
        _free = All - 32 * warps * each;
    }

    public void Set(PtxWarp warp, int count, bool isMore)
    {
        int more = count - _has[warp.Number];
        if (count % 8 != 0 || count is < 24 or > 256 || more < 0 == isMore)
        {
            throw new InvalidOperationException($"a thread has {_has[warp.Number]} registers");
        }

        if (32 * more > _free)
        {
            // Once more, when others have given theirs away.
            warp.Next--;
            warp.WaitFor($"{32 * more} registers, {_free} are free", () => 32 * more <= _free);
            return;
        }

        _free -= 32 * more;
        _has[warp.Number] = count;
    }
}
