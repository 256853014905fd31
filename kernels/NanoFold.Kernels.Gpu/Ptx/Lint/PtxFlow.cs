namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>How control goes through a listing: stretches of instructions without a branch, what follows each, and on which branches a stretch depends.</summary>
internal sealed class PtxFlow
{
    private readonly int[] _starts;
    private readonly ulong[][] _after;

    public PtxFlow(PtxListing listing)
    {
        IReadOnlyList<PtxLine> lines = listing.Lines;
        var starts = new SortedSet<int> { 0 };
        foreach (int label in listing.Labels.Values)
        {
            starts.Add(label);
        }

        for (int i = 0; i < lines.Count; i++)
        {
            if (lines[i].IsBranch || lines[i].IsReturn)
            {
                starts.Add(i + 1);
            }
        }

        starts.Remove(lines.Count);
        _starts = [.. starts, lines.Count];
        Dictionary<int, int> blockAt = Enumerable.Range(0, Count).ToDictionary(b => _starts[b]);
        Followers = new int[Count][];
        for (int block = 0; block < Count; block++)
        {
            PtxLine last = lines[End(block) - 1];
            var followers = new List<int>(2);
            if (last.Label is { } label && listing.Labels.TryGetValue(label, out int target) && blockAt.TryGetValue(target, out int to))
            {
                followers.Add(to);
            }

            if (!last.EndsFlow && block + 1 < Count)
            {
                followers.Add(block + 1);
            }

            Followers[block] = [.. followers.Distinct()];
        }

        _after = AlwaysAfter();
    }

    /// <summary>Number of stretches.</summary>
    public int Count => _starts.Length - 1;

    /// <summary>Of each stretch, those that may come next.</summary>
    public int[][] Followers { get; }

    /// <summary>What may have happened, as bits of a set, before each stretch; 0 for one to which no way leads.</summary>
    /// <param name="first">Before the first stretch.</param>
    /// <param name="run">What has happened after a stretch, given what had before it.</param>
    public int[] Before(int first, Func<int, int, int> run)
    {
        var before = new int[Count];
        var isKnown = new bool[Count];
        (before[0], isKnown[0]) = (first, true);
        var queue = new Queue<int>([0]);
        while (queue.TryDequeue(out int block))
        {
            int after = run(block, before[block]);
            foreach (int next in Followers[block].Where(next => !isKnown[next] || (before[next] | after) != before[next]))
            {
                (before[next], isKnown[next]) = (before[next] | after, true);
                queue.Enqueue(next);
            }
        }

        return before;
    }

    public int Start(int block) => _starts[block];

    /// <summary>After its last instruction.</summary>
    public int End(int block) => _starts[block + 1];

    /// <summary>Stretches that end with a choice on which it depends whether this one runs.</summary>
    public IEnumerable<int> Choices(int block)
        => Enumerable.Range(0, Count).Where(choice => Followers[choice].Length == 2 && !(choice != block && Has(_after[choice], block)) && Followers[choice].Any(next => Has(_after[next], block)));

    private static bool Has(ulong[] set, int block) => (set[block / 64] >> (block % 64) & 1) != 0;

    /// <summary>Of each stretch those, itself among them, that every way from it to the end passes.</summary>
    private ulong[][] AlwaysAfter()
    {
        int words = (Count + 63) / 64;
        var after = new ulong[Count][];
        for (int block = 0; block < Count; block++)
        {
            after[block] = new ulong[words];
            Array.Fill(after[block], Followers[block].Length == 0 ? 0 : ulong.MaxValue);
            after[block][block / 64] |= 1ul << (block % 64);
        }

        for (bool changes = true; changes;)
        {
            changes = false;
            for (int block = Count - 1; block >= 0; block--)
            {
                if (Followers[block].Length == 0)
                {
                    continue;
                }

                for (int word = 0; word < words; word++)
                {
                    ulong common = ulong.MaxValue;
                    foreach (int next in Followers[block])
                    {
                        common &= after[next][word];
                    }

                    common |= word == block / 64 ? 1ul << (block % 64) : 0;
                    changes |= common != after[block][word];
                    after[block][word] = common;
                }
            }
        }

        return after;
    }
}
