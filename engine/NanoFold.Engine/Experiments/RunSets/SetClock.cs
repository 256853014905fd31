namespace NanoFold.Engine.Experiments;

/// <summary>How long the rest of a set of runs is going to take, by what its runs have taken so far.</summary>
internal static class SetClock
{
    /// <summary>Seconds; null until something is known.</summary>
    /// <param name="entries">All runs that are known.</param>
    /// <param name="total">Runs in the end.</param>
    /// <param name="options">How it is carried out.</param>
    public static double? Left(IReadOnlyList<RunEntry> entries, int total, RunSetOptions options)
    {
        (RunEntry Entry, double Seconds)[] taken = [.. entries.Select(entry => (entry, Whole(entry))).Where(pair => pair.Item2 is not null).Select(pair => (pair.entry, pair.Item2!.Value))];
        if (taken.Length == 0)
        {
            return null;
        }

        Dictionary<string, double> perToken = taken.Where(pair => pair.Entry.Work.Tokens > 0)
            .GroupBy(pair => pair.Entry.Work.Key).ToDictionary(group => group.Key, group => group.Average(pair => pair.Seconds / pair.Entry.Work.Tokens));
        double flops = taken.Sum(pair => pair.Entry.Work.Flops), mean = taken.Average(pair => pair.Seconds);
        double perFlop = flops > 0 ? taken.Where(pair => pair.Entry.Work.Flops > 0).Sum(pair => pair.Seconds) / flops : 0;
        double Expected(RunWork work) => work.Seconds ?? (perToken.TryGetValue(work.Key, out double each) ? work.Tokens * each : work.Flops > 0 && perFlop > 0 ? work.Flops * perFlop : mean);

        double left = 0, own = 0, longest = 0;
        foreach (RunEntry entry in entries)
        {
            RunStatus status = entry.Status;
            double share = status.Steps > 0 ? Math.Min(1, (double)status.Step / status.Steps.Value) : 0;
            double rest = status.State switch
            {
                RunState.Running => status.SecondsLeft ?? (1 - share) * Expected(entry.Work),
                RunState.Waiting or RunState.Stopped => (1 - share) * Expected(entry.Work),
                _ => 0,
            };
            left += rest;
            longest = status.State == RunState.Running ? Math.Max(longest, rest) : longest;
            own += status.State == RunState.OtherShard ? 0 : Expected(entry.Work);
        }

        // Runs that are not known yet are like those that are; of several shards each has its share of them.
        int owned = entries.Count(entry => entry.Status.State != RunState.OtherShard);
        double unknown = Math.Max(0, total - entries.Count) / (double)(options.Shard?.Count ?? 1);
        left += owned > 0 ? unknown * own / owned : 0;
        return Math.Max(longest, left / Math.Max(1, options.Jobs ?? 1));
    }

    // Of a whole run, of which a part may have been taken here.
    private static double? Whole(RunEntry entry)
    {
        RunStatus status = entry.Status;
        double share = status.Steps > 0 ? (double)status.Step / status.Steps.Value : 0;
        return status.State switch
        {
            RunState.Running when status.SecondsLeft is { } left && entry.ShareBefore < 1 => (entry.Seconds + left) / (1 - entry.ShareBefore),
            RunState.Over when entry.Seconds > 0 && entry.ShareBefore < share => entry.Seconds / (share - entry.ShareBefore),
            RunState.Over => status.Result?.Figure("seconds"),
            _ => null,
        };
    }
}
