namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// Of a kernel that may be started while the one before it still runs: memory that it touches on some way before it has waited for that one. Kernels that neither wait nor let
/// the next one start are launched after the one before them, and have no such ways.
/// </summary>
internal static class PtxDependence
{
    public static IEnumerable<string> Faults(PtxListing listing, PtxFlow flow)
    {
        IReadOnlyList<PtxLine> lines = listing.Lines;
        if (flow.Count == 0 || !lines.Any(line => line.Opcode.StartsWith("griddepcontrol", StringComparison.Ordinal)))
        {
            return [];
        }

        // Whether every way to a stretch has waited.
        var before = new bool[flow.Count];
        Array.Fill(before, true);
        before[0] = false;
        for (bool changes = true; changes;)
        {
            changes = false;
            for (int block = 0; block < flow.Count; block++)
            {
                bool after = before[block] || Enumerable.Range(flow.Start(block), flow.End(block) - flow.Start(block)).Any(i => Waits(lines[i]));
                foreach (int next in flow.Followers[block].Where(next => before[next] && !after))
                {
                    before[next] = false;
                    changes = true;
                }
            }
        }

        return [.. Enumerable.Range(0, flow.Count).Where(block => !before[block]).SelectMany(block => Touches(lines, flow.Start(block), flow.End(block)))];
    }

    private static IEnumerable<string> Touches(IReadOnlyList<PtxLine> lines, int start, int end)
        => Enumerable.Range(start, end - start).TakeWhile(i => !Waits(lines[i])).Where(i => lines[i].Opcode.Contains("global", StringComparison.Ordinal) && !lines[i].Opcode.StartsWith("cvta", StringComparison.Ordinal))
            .Select(i => $"{lines[i].Text}: memory is touched before griddepcontrol.wait");

    private static bool Waits(PtxLine line) => line is { Opcode: "griddepcontrol.wait", Guard: < 0 };
}
