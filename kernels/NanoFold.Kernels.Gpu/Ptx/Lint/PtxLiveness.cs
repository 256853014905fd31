using System.Numerics;

namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>Which registers hold a value that is still read, before each stretch of instructions, and where they are most.</summary>
internal sealed class PtxLiveness
{
    private readonly PtxListing _listing;
    private readonly PtxFlow _flow;
    private readonly ulong[][] _before;

    // Of each register the one condition under which all that read it run, −1 for none, −2 for several.
    private readonly int[] _conditions;

    public PtxLiveness(PtxListing listing, PtxFlow flow)
    {
        (_listing, _flow) = (listing, flow);
        int words = (listing.Registers + 63) / 64;
        _conditions = Conditions(listing);
        _before = new ulong[flow.Count][];
        for (int block = 0; block < flow.Count; block++)
        {
            _before[block] = new ulong[words];
        }

        var set = new ulong[words];
        for (bool changes = true; changes;)
        {
            changes = false;
            for (int block = flow.Count - 1; block >= 0; block--)
            {
                After(block, set);
                for (int i = flow.End(block) - 1; i >= flow.Start(block); i--)
                {
                    Step(listing.Lines[i], set);
                }

                if (!set.AsSpan().SequenceEqual(_before[block]))
                {
                    set.CopyTo(_before[block], 0);
                    changes = true;
                }
            }
        }

        Count(set);
    }

    /// <summary>32-bit registers that hold values at the fullest place.</summary>
    public int Most { get; private set; }

    /// <summary>The instruction there.</summary>
    public string At { get; private set; } = "";

    /// <summary>Registers that are read before they are set on some way.</summary>
    public IEnumerable<string> ReadBeforeSet
        => _flow.Count == 0 ? [] : Enumerable.Range(0, _listing.Registers).Where(r => (_before[0][r / 64] >> (r % 64) & 1) != 0).Select(_listing.Name);

    private void After(int block, ulong[] set)
    {
        Array.Clear(set);
        foreach (int next in _flow.Followers[block])
        {
            for (int word = 0; word < set.Length; word++)
            {
                set[word] |= _before[next][word];
            }
        }
    }

    private static int[] Conditions(PtxListing listing)
    {
        var conditions = new int[listing.Registers];
        var isRead = new bool[listing.Registers];
        foreach (PtxLine line in listing.Lines)
        {
            foreach (int register in line.Reads)
            {
                conditions[register] = isRead[register] && conditions[register] != line.Condition ? -2 : line.Condition;
                isRead[register] = true;
            }
        }

        return conditions;
    }

    // What is written under a condition may keep its value, unless it is read under the same condition only.
    private bool Sets(PtxLine line, int register) => line.Guard < 0 || line.Condition == _conditions[register];

    private void Step(PtxLine line, ulong[] set)
    {
        foreach (int register in line.Writes)
        {
            if (Sets(line, register))
            {
                set[register / 64] &= ~(1ul << (register % 64));
            }
        }

        foreach (int register in line.Reads)
        {
            set[register / 64] |= 1ul << (register % 64);
        }
    }

    private void Count(ulong[] set)
    {
        for (int block = 0; block < _flow.Count; block++)
        {
            After(block, set);
            int live = Weight(set);
            for (int i = _flow.End(block) - 1; i >= _flow.Start(block); i--)
            {
                PtxLine line = _listing.Lines[i];
                live += Change(line, set);
                if (live > Most)
                {
                    (Most, At) = (live, line.Text);
                }
            }
        }
    }

    private int Change(PtxLine line, ulong[] set)
    {
        int change = 0;
        foreach (int register in line.Writes.Where(register => Sets(line, register)))
        {
            change -= IsIn(set, register) ? _listing.Words(register) : 0;
            set[register / 64] &= ~(1ul << (register % 64));
        }

        foreach (int register in line.Reads)
        {
            change += IsIn(set, register) ? 0 : _listing.Words(register);
            set[register / 64] |= 1ul << (register % 64);
        }

        return change;
    }

    private static bool IsIn(ulong[] set, int register) => (set[register / 64] >> (register % 64) & 1) != 0;

    private int Weight(ulong[] set)
    {
        int weight = 0;
        for (int word = 0; word < set.Length; word++)
        {
            for (ulong left = set[word]; left != 0; left &= left - 1)
            {
                weight += _listing.Words((64 * word) + BitOperations.TrailingZeroCount(left));
            }
        }

        return weight;
    }
}
