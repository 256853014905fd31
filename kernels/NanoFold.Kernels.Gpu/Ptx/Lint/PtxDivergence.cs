namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// Which registers may differ between the threads of a block, and which stretches of instructions some threads may therefore skip. A value of memory is taken to be the
/// same for all who read it at the same address; what is set in a stretch that some skip differs where it is set otherwise elsewhere.
/// </summary>
internal sealed class PtxDivergence
{
    private readonly PtxListing _listing;
    private readonly PtxFlow _flow;
    private readonly bool[] _differs;
    private readonly bool[] _isSkipped;

    public PtxDivergence(PtxListing listing, PtxFlow flow)
    {
        (_listing, _flow) = (listing, flow);
        _differs = new bool[listing.Registers];
        _isSkipped = new bool[flow.Count];
        bool[] isSetInSeveralWays = SetInSeveralWays(listing);
        int[][] choices = [.. Enumerable.Range(0, flow.Count).Select(block => flow.Choices(block).ToArray())];
        for (bool changes = true; changes;)
        {
            changes = false;
            for (int block = 0; block < flow.Count; block++)
            {
                bool skipped = _isSkipped[block] || choices[block].Any(IsApart);
                changes |= skipped != _isSkipped[block];
                _isSkipped[block] = skipped;
                for (int i = flow.Start(block); i < flow.End(block); i++)
                {
                    PtxLine line = listing.Lines[i];
                    bool differs = HasThread(line) || line.Reads.Any(r => _differs[r]);
                    foreach (int register in line.Writes)
                    {
                        if (!_differs[register] && (differs || (skipped && isSetInSeveralWays[register])))
                        {
                            _differs[register] = changes = true;
                        }
                    }
                }
            }
        }
    }

    /// <summary>Barriers of a block that some of its threads may not come to.</summary>
    public IEnumerable<string> Faults()
    {
        for (int block = 0; block < _flow.Count; block++)
        {
            for (int i = _flow.Start(block); i < _flow.End(block); i++)
            {
                PtxLine line = _listing.Lines[i];
                if (PtxOpcodes.Find(line.Opcode)?.Meeting == PtxMeeting.Block && !IsOfSome(line) && (_isSkipped[block] || (line.Guard >= 0 && _differs[line.Guard])))
                {
                    yield return $"{line.Text}: some threads of the block may not come to it";
                }
            }
        }
    }

    private static bool[] SetInSeveralWays(PtxListing listing)
    {
        var several = new bool[listing.Registers];
        var ways = new string?[listing.Registers];
        foreach (PtxLine line in listing.Lines)
        {
            foreach (int register in line.Writes)
            {
                string way = line.Guard < 0 ? line.Text : line.Text[(line.Text.AsSpan().IndexOfAny(' ', '\t') + 1)..];
                several[register] |= ways[register] is { } other && other != way;
                ways[register] = way;
            }
        }

        return several;
    }

    private bool IsApart(int choice) => _listing.Lines[_flow.End(choice) - 1].Guard is >= 0 and var guard && _differs[guard];

    /// <summary>A barrier of so many threads, with a number of its own, is for those that come to it.</summary>
    private static bool IsOfSome(PtxLine line) => line.Text.Contains(',', StringComparison.Ordinal);

    private static bool HasThread(PtxLine line)
        => line.Text.Contains("%tid", StringComparison.Ordinal) || line.Text.Contains("%laneid", StringComparison.Ordinal) || line.Text.Contains("%warpid", StringComparison.Ordinal)
            || line.Opcode.StartsWith("atom", StringComparison.Ordinal) || line.Opcode.StartsWith("activemask", StringComparison.Ordinal)
            || line.Opcode.StartsWith("elect", StringComparison.Ordinal);
}
