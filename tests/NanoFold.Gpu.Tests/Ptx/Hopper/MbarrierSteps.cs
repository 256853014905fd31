using Arg = NanoFold.Gpu.Tests.Ptx.PtxText.Arg;
using Instruction = NanoFold.Gpu.Tests.Ptx.PtxText.Instruction;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>mbarrier.init, .arrive, .arrive.expect_tx and .try_wait.parity, each for every active lane.</summary>
internal static class MbarrierSteps
{
    public static Action<PtxWarp> Decode(PtxMachine machine, Instruction i) => i.Opcode switch
    {
        "mbarrier.init.shared::cta.b64" => ForLanes((w, lane) =>
        {
            int at = At(machine, w, i.Operands[0][0], lane);
            if (!machine.Async.Mbarriers.TryAdd(at, new Mbarrier((int)PtxDecoder.Value(w, i.Operands[1][0], lane), w)))
            {
                throw new InvalidOperationException("an mbarrier is made twice");
            }
        }),
        "mbarrier.arrive.shared::cta.b64" => ForLanes((w, lane) => machine.Async.Mbarrier(At(machine, w, i.Operands[1][0], lane)).Arrive()),
        "mbarrier.arrive.expect_tx.shared::cta.b64" => ForLanes((w, lane) =>
        {
            Mbarrier barrier = machine.Async.Mbarrier(At(machine, w, i.Operands[1][0], lane));
            barrier.Expect((int)PtxDecoder.Value(w, i.Operands[2][0], lane));
            barrier.Arrive();
        }),
        "mbarrier.try_wait.parity.shared::cta.b64" or "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64" => w => TryWait(machine, i, w),
        _ => throw new NotSupportedException(i.Opcode),
    };

    private static Action<PtxWarp> ForLanes(Action<PtxWarp, int> step) => w =>
    {
        for (int lane = 0; lane < 32; lane++)
        {
            if (w.Runs(lane))
            {
                step(w, lane);
            }
        }
    };

    private static int At(PtxMachine machine, PtxWarp w, Arg address, int lane) => machine.SharedAt(w[address.Register, lane] + (ulong)address.Number, 8);

    private static void TryWait(PtxMachine machine, Instruction i, PtxWarp w)
    {
        int first = System.Numerics.BitOperations.TrailingZeroCount(w.Active);
        int at = At(machine, w, i.Operands[1][0], first), parity = (int)PtxDecoder.Value(w, i.Operands[2][0], first);
        if (parity is not (0 or 1))
        {
            throw new InvalidOperationException($"a parity of {parity}");
        }

        Mbarrier barrier = machine.Async.Mbarrier(at);
        if (barrier.HasOthers && !i.Parts.Contains("cluster"))
        {
            throw new InvalidOperationException("a wait for threads of the own block alone, and others arrive too");
        }

        bool hasEnded = barrier.HasEnded(parity);
        for (int lane = 0; lane < 32; lane++)
        {
            if (w.Runs(lane))
            {
                w[i.Operands[0][0].Register, lane] = hasEnded ? 1u : 0u;
            }
        }

        // Such a wait may run out of time: the first does at once, so that a program must try again.
        bool isAgain = w.TimedOutAt == i.Index;
        w.TimedOutAt = hasEnded || isAgain ? -1 : i.Index;
        if (!hasEnded && isAgain)
        {
            w.WaitFor($"mbarrier {at}, parity {parity}", () => barrier.HasEnded(parity), tries: true);
        }
    }
}
