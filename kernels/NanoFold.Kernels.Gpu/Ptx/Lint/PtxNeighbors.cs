namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// What a block does in the shared memory of others of its cluster, on every way through a listing: before the first reach the cluster's blocks must have met, so that all have started
/// and made their barriers; after the last one they must meet again, so that none has ended. Who arrives at the cluster's barrier waits for it, once, and does not reach in between.
/// </summary>
internal static class PtxNeighbors
{
    private const int MostBlocks = 8;

    /// <summary>How far a way has come, as bits of a set; with <see cref="Arrived"/> more, the same between arriving and waiting.</summary>
    private const int Apart = 1, Met = 2, Reached = 4, All = 7, Arrived = 3;

    public static IEnumerable<string> Faults(PtxListing listing, PtxFlow flow)
    {
        IReadOnlyList<PtxLine> lines = listing.Lines;
        if (!lines.Any(line => Meets(line) || Reaches(line) || Maps(line)))
        {
            return listing.Cluster > 1 ? ["a cluster of blocks that have nothing to do with one another"] : [];
        }

        if (listing.Cluster is < 2 or > MostBlocks)
        {
            return [$"the text speaks of a cluster, and its blocks come {(listing.Cluster < 2 ? "alone" : $"by {listing.Cluster}: {MostBlocks} are what every device can")}"];
        }

        int[] before = flow.Before(Apart, (block, state) => Run(lines, flow, block, state, null));
        var faults = new List<string>();
        for (int block = 0; block < flow.Count; block++)
        {
            Run(lines, flow, block, before[block], faults);
        }

        return faults.Distinct();
    }

    private static int Run(IReadOnlyList<PtxLine> lines, PtxFlow flow, int block, int state, List<string>? faults)
    {
        for (int i = flow.Start(block); i < flow.End(block) && state != 0; i++)
        {
            PtxLine line = lines[i];
            if (line.Opcode.StartsWith("barrier.cluster.arrive", StringComparison.Ordinal))
            {
                Say(state >> Arrived, line, "arrives at the cluster's barrier again before it has waited");
                state = (state & All) << Arrived;
            }
            else if (line.Opcode.StartsWith("barrier.cluster.wait", StringComparison.Ordinal))
            {
                Say(state & All, line, "waits for the cluster's barrier without having arrived");
                state = state >> Arrived != 0 ? Met : 0;
            }
            else if (Reaches(line))
            {
                Say(state & Apart, line, "another block may not have started");
                Say(state >> Arrived, line, "reaches into another block between arriving at the cluster's barrier and waiting");
                state = line.Guard < 0 ? Reached : state | Reached;
            }
            else if (line.IsReturn && line.Opcode != "trap")
            {
                Say(state & Reached, line, "the block may end while others reach into it, or it into them");
                Say(state >> Arrived, line, "ends without waiting for the cluster's barrier");
                state = line.Guard < 0 ? 0 : state;
            }
        }

        return state;

        void Say(int wrong, PtxLine line, string what)
        {
            if (wrong != 0)
            {
                faults?.Add($"{line.Text}: {what}");
            }
        }
    }

    private static bool Meets(PtxLine line) => line.Opcode.StartsWith("barrier.cluster", StringComparison.Ordinal);

    private static bool Maps(PtxLine line) => line.Opcode.StartsWith("mapa", StringComparison.Ordinal);

    private static bool Reaches(PtxLine line)
        => line.Opcode.EndsWith(".multicast::cluster", StringComparison.Ordinal) || line.Opcode.Contains(".shared::cluster.b", StringComparison.Ordinal);
}
