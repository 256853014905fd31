using NanoFold.Gpu.Tests.Ptx.Blocks;

namespace NanoFold.Gpu.Tests.Ptx.Clusters;

/// <summary>The barrier of a cluster, in two halves: warps arrive, and later wait until all warps of all blocks that have not returned have arrived.</summary>
internal sealed class ClusterBarrier(PtxBlock[] blocks)
{
    private readonly HashSet<PtxWarp> _arrived = [];
    private readonly Dictionary<PtxWarp, (int Phase, int[]? Told)> _came = [];
    private int _phase;

    // What those who arrived know to be over.
    private int[]? _told;

    public void Arrive(PtxWarp warp, Races? races)
    {
        if (races is not null)
        {
            warp.Order!.Meet();
            warp.Order.Release(_told ??= races.NewBarrier());
        }

        if (!_came.TryAdd(warp, (_phase, _told)))
        {
            throw new InvalidOperationException("a warp arrives at the cluster's barrier again before it has waited");
        }

        _arrived.Add(warp);
    }

    public void Wait(PtxWarp warp)
    {
        if (!_came.Remove(warp, out (int Phase, int[]? Told) came))
        {
            throw new InvalidOperationException("a warp waits for the cluster's barrier at which it has not arrived");
        }

        if (came.Told is not null)
        {
            warp.Order!.Await(came.Told);
        }

        if (!IsOver(came.Phase))
        {
            warp.WaitFor("the cluster's barrier", () => IsOver(came.Phase));
        }
    }

    /// <summary>A block has returned: none of its warps may have arrived without a wait.</summary>
    public void End(PtxBlock block)
    {
        if (block.Warps.Any(_came.ContainsKey))
        {
            throw new InvalidOperationException($"block {string.Join(", ", block.Index)} ends without waiting for the cluster's barrier");
        }
    }

    private bool IsOver(int phase)
    {
        if (_phase == phase && blocks.All(block => block.Warps.All(warp => warp.Live == 0 || _arrived.Contains(warp))))
        {
            _phase++;
            _arrived.Clear();
            _told = null;
        }

        return _phase != phase;
    }
}
