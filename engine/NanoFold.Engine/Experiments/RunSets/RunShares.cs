namespace NanoFold.Engine.Experiments;

/// <summary>
/// Which shard carries out which group of runs: the longest first, each to the shard that has least so far. Every shard comes to the same answer, for it depends only on the runs that are known
/// before any has ended.
/// </summary>
internal sealed class RunShares
{
    private readonly Dictionary<string, int> _shards = [];
    private readonly int _count;

    public RunShares(IReadOnlyList<(PlannedRun Run, RunWork Work)> runs, int count)
    {
        _count = count;
        double most = runs.Max(run => (double?)run.Work.Flops) is > 0 and double flops ? flops : 1;
        var sums = new double[count];
        var groups = runs.GroupBy(run => run.Run.Group)
            .Select((group, i) => (group.Key, Place: i, Work: group.Sum(run => run.Work.Flops > 0 ? run.Work.Flops / most : 1)))
            .OrderByDescending(group => group.Work).ThenBy(group => group.Place);
        foreach ((string group, _, double work) in groups)
        {
            int least = Array.IndexOf(sums, sums.Min());
            _shards[group] = least;
            sums[least] += work;
        }
    }

    /// <summary>From 0.</summary>
    public int ShardOf(string group) => _shards.TryGetValue(group, out int shard) ? shard : (int)(Hash(group) % (uint)_count);

    // The same on every machine (FNV-1a).
    private static uint Hash(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
        {
            hash = (hash ^ c) * 16777619;
        }

        return hash;
    }
}
