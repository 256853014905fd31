namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// Stores by tensor maps, and sums added by them, on every way through a listing: each must become part of a group, and the group must have been waited for before the kernel ends, for its shared
/// memory is read until then.
/// </summary>
internal static class PtxStores
{
    /// <summary>What may be under way, as bits of a set: stores of no group yet, and groups.</summary>
    private const int Open = 1, Grouped = 2;

    public static IEnumerable<string> Faults(PtxListing listing, PtxFlow flow)
    {
        IReadOnlyList<PtxLine> lines = listing.Lines;
        if (!lines.Any(IsStore))
        {
            return [];
        }

        int[] before = flow.Before(0, (block, state) => Run(lines, flow, block, state, null));
        var faults = new List<string>();
        for (int block = 0; block < flow.Count; block++)
        {
            Run(lines, flow, block, before[block], faults);
        }

        return faults.Distinct();
    }

    private static int Run(IReadOnlyList<PtxLine> lines, PtxFlow flow, int block, int state, List<string>? faults)
    {
        for (int i = flow.Start(block); i < flow.End(block); i++)
        {
            PtxLine line = lines[i];
            if (IsStore(line))
            {
                state |= Open;
            }
            else if (line.Opcode == "cp.async.bulk.commit_group")
            {
                state = (state & Grouped) | ((state & Open) != 0 ? Grouped : 0);
            }
            else if (line.Opcode.StartsWith("cp.async.bulk.wait_group", StringComparison.Ordinal))
            {
                state = line.Text.EndsWith(" 0", StringComparison.Ordinal) ? state & Open : state;
            }
            else if (line.IsReturn && line.Opcode != "trap" && state != 0)
            {
                faults?.Add($"{line.Text}: stores by a tensor map are {((state & Open) != 0 ? "in no group" : "not waited for")} on some way to the end");
            }
        }

        return state;
    }

    private static bool IsStore(PtxLine line) => line.Opcode.StartsWith("cp.", StringComparison.Ordinal) && line.Opcode.EndsWith(".bulk_group", StringComparison.Ordinal);
}
