using NanoFold.Gpu.Tests.Ptx.Blocks;

namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Barriers 0 to 15 of a block, where all threads or a stated number of them meet.</summary>
internal sealed class NamedBarriers(PtxWarp[] warps)
{
    private readonly Barrier[] _barriers = [.. Enumerable.Range(0, 16).Select(_ => new Barrier())];

    /// <param name="warp">That comes.</param>
    /// <param name="number">Of the barrier.</param>
    /// <param name="threads">That meet; 0: all of the block that have not returned.</param>
    /// <param name="races">Where they are sought.</param>
    public void Arrive(PtxWarp warp, int number, int threads, Races? races)
    {
        Barrier barrier = _barriers[number];
        if (barrier.Arrived > 0 && barrier.Expected != threads)
        {
            throw new InvalidOperationException($"barrier {number} for {threads} and for {barrier.Expected} threads");
        }

        barrier.Expected = threads;
        barrier.Arrived += 32;
        int phase = barrier.Phase;
        if (races is not null)
        {
            warp.Order!.Arrive(barrier.Told ??= races.NewBarrier());
        }

        if (threads > 0 && barrier.Arrived > threads)
        {
            throw new InvalidOperationException($"barrier {number} has more than {threads} threads");
        }

        if (!IsOver(barrier, phase))
        {
            warp.WaitFor($"barrier {number}", () => IsOver(barrier, phase));
        }
    }

    private bool IsOver(Barrier barrier, int phase)
    {
        if (barrier.Phase == phase && barrier.Arrived >= (barrier.Expected > 0 ? barrier.Expected : 32 * warps.Count(w => w.Live != 0)))
        {
            barrier.Phase++;
            barrier.Arrived = 0;
            barrier.Told = null;
        }

        return barrier.Phase != phase;
    }

    private sealed class Barrier
    {
        public int Expected, Arrived, Phase;

        /// <summary>What those who arrived know to be over.</summary>
        public int[]? Told;
    }
}
