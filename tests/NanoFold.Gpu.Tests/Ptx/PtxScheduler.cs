namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>Runs the warps of a block by turns until all have returned; tells where each stands when none can go on.</summary>
internal sealed class PtxScheduler(PtxMachine machine, PtxWarp[] warps)
{
    private const int MostAtOnce = 60;

    private readonly Random? _random = machine.Schedule.Seed is { } seed ? new Random(seed) : null;

    public void Run()
    {
        while (warps.Any(w => w.Live != 0))
        {
            if (!(_random is null ? InOrder() : AtRandom()) && !machine.Async.CompleteOne(_random) && !machine.LetTimePass(warps))
            {
                throw new InvalidOperationException($"deadlock: {Dump()}");
            }

            if (_random is not null && machine.Schedule.Completion == PtxCompletion.Random && _random.Next(3) == 0)
            {
                machine.Async.CompleteOne(_random);
            }
        }
    }

    private bool InOrder()
    {
        bool any = false;
        for (int i = 0; i < warps.Length; i++)
        {
            PtxWarp warp = warps[machine.Schedule.LastWarpFirst ? warps.Length - 1 - i : i];
            if (warp.Wakes())
            {
                machine.Run(warp, int.MaxValue);
                any = true;
            }
        }

        return any;
    }

    private bool AtRandom()
    {
        PtxWarp[] ready = [.. warps.Where(w => w.Wakes())];
        if (ready.Length == 0)
        {
            return false;
        }

        machine.Run(ready[_random!.Next(ready.Length)], 1 + _random.Next(MostAtOnce));
        return true;
    }

    private string Dump() => string.Join("; ", warps.Where(w => w.Live != 0).Select(w => $"warp {w.Number} at {machine.Text.Instructions[w.Next - 1].Text} waits for {w.WaitsFor}"))
        + machine.Async.Dump();
}
