namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>Stores by tensor maps, in groups of the thread that asked for them.</summary>
internal sealed class BulkGroups
{
    private readonly Dictionary<(PtxWarp Warp, int Lane), List<List<(AsyncWork Work, Action Release)>>> _threads = [];

    public bool Any => _threads.Values.Any(groups => groups.Any(group => group.Count > 0));

    public void Add(PtxWarp warp, int lane, AsyncWork work, Action release) => Groups(warp, lane)[^1].Add((work, release));

    public void Commit(PtxWarp warp, int lane) => Groups(warp, lane).Add([]);

    public void Wait(PtxWarp warp, int lane, int pending)
    {
        List<List<(AsyncWork Work, Action Release)>> groups = Groups(warp, lane);
        while (groups.Count - 1 > pending)
        {
            foreach ((AsyncWork work, Action release) in groups[0])
            {
                work.Complete();
                release();
            }

            groups.RemoveAt(0);
        }
    }

    private List<List<(AsyncWork Work, Action Release)>> Groups(PtxWarp warp, int lane)
    {
        if (!_threads.TryGetValue((warp, lane), out List<List<(AsyncWork, Action)>>? groups))
        {
            _threads.Add((warp, lane), groups = [[]]);
        }

        return groups;
    }
}
