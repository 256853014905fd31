using System.Globalization;

namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// Registers of products by warpgroups, on every way through a listing. Sums, and operands in registers, belong to the tensor cores from the product until it is waited for; where
/// another instruction touched them a <c>wgmma.fence</c> must stand before the product.
/// </summary>
internal sealed class PtxProducts
{
    /// <summary>Of a register: no product under way has it; else groups that were committed since, up to some.</summary>
    private const int None = int.MaxValue, Most = 16;

    private readonly PtxListing _listing;
    private readonly PtxFlow _flow;
    private readonly Dictionary<int, int> _index = [];

    public PtxProducts(PtxListing listing, PtxFlow flow)
    {
        (_listing, _flow) = (listing, flow);
        foreach (PtxLine line in listing.Lines.Where(IsProduct))
        {
            foreach (int register in line.Writes.Concat(Left(line)))
            {
                _index.TryAdd(register, _index.Count);
            }
        }
    }

    /// <summary>What is wrong on some way.</summary>
    public IEnumerable<string> Faults()
    {
        if (_index.Count == 0)
        {
            return [];
        }

        var before = new State?[_flow.Count];
        before[0] = new State(_index.Count);
        var queue = new Queue<int>([0]);
        while (queue.TryDequeue(out int block))
        {
            State state = new(before[block]!);
            Run(block, state, null);
            foreach (int next in _flow.Followers[block])
            {
                if (before[next] is not { } known)
                {
                    before[next] = new State(state);
                    queue.Enqueue(next);
                }
                else if (known.Join(state))
                {
                    queue.Enqueue(next);
                }
            }
        }

        var faults = new List<string>();
        for (int block = 0; block < _flow.Count; block++)
        {
            if (before[block] is { } state)
            {
                Run(block, new State(state), faults);
            }
        }

        return faults;
    }

    private static bool IsProduct(PtxLine line) => line.Opcode.StartsWith("wgmma.mma_async", StringComparison.Ordinal);

    /// <summary>The left operand where it is in registers: the first that are read.</summary>
    private static int[] Left(PtxLine line) => line.Text.Contains("}, {", StringComparison.Ordinal) ? line.Reads[..4] : [];

    private void Run(int block, State state, List<string>? faults)
    {
        for (int i = _flow.Start(block); i < _flow.End(block); i++)
        {
            PtxLine line = _listing.Lines[i];
            if (IsProduct(line))
            {
                Start(line, state, faults);
            }
            else if (line.Opcode.StartsWith("wgmma.fence", StringComparison.Ordinal))
            {
                Array.Clear(state.IsTouched);
            }
            else if (line.Opcode.StartsWith("wgmma.commit_group", StringComparison.Ordinal))
            {
                state.Age(age => age == None ? None : Math.Min(age + 1, Most));
            }
            else if (line.Opcode.StartsWith("wgmma.wait_group", StringComparison.Ordinal))
            {
                int pending = int.Parse(line.Text[(line.Text.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
                state.Age(age => age > pending ? None : age);
            }
            else
            {
                foreach (int register in line.Reads.Concat(line.Writes))
                {
                    if (!_index.TryGetValue(register, out int index))
                    {
                        continue;
                    }

                    state.IsTouched[index] = true;
                    if (Math.Min(state.Sums[index], state.Operands[index]) != None)
                    {
                        faults?.Add($"{line.Text}: {_listing.Name(register)} is touched before the products that have it are waited for");
                    }
                }
            }
        }
    }

    private void Start(PtxLine line, State state, List<string>? faults)
    {
        int[] left = Left(line);
        foreach (int register in line.Writes.Concat(left))
        {
            bool isSum = !left.Contains(register);
            int index = _index[register];
            if (state.IsTouched[index])
            {
                faults?.Add($"{line.Text}: {_listing.Name(register)} was touched, or is new, and no wgmma.fence follows");
            }

            if ((isSum ? state.Operands : state.Sums)[index] != None)
            {
                faults?.Add($"{line.Text}: {_listing.Name(register)} is {(isSum ? "an operand" : "a sum")} of products that are not waited for");
            }

            (isSum ? state.Sums : state.Operands)[index] = 0;
        }
    }

    /// <summary>Of each register: how old the newest product is that it is a sum or an operand of, and whether it was touched since the last fence.</summary>
    private sealed class State
    {
        public State(int count)
        {
            (Sums, Operands, IsTouched) = (new int[count], new int[count], new bool[count]);
            Array.Fill(Sums, None);
            Array.Fill(Operands, None);
            Array.Fill(IsTouched, true);
        }

        public State(State other) => (Sums, Operands, IsTouched) = ([.. other.Sums], [.. other.Operands], [.. other.IsTouched]);

        public int[] Sums { get; }

        public int[] Operands { get; }

        public bool[] IsTouched { get; }

        public void Age(Func<int, int> change)
        {
            for (int i = 0; i < Sums.Length; i++)
            {
                (Sums[i], Operands[i]) = (change(Sums[i]), change(Operands[i]));
            }
        }

        /// <summary>Adds what may be where two ways meet; whether that is more than before.</summary>
        public bool Join(State other)
        {
            bool changes = false;
            for (int i = 0; i < Sums.Length; i++)
            {
                changes |= other.Sums[i] < Sums[i] || other.Operands[i] < Operands[i] || (other.IsTouched[i] && !IsTouched[i]);
                (Sums[i], Operands[i]) = (Math.Min(Sums[i], other.Sums[i]), Math.Min(Operands[i], other.Operands[i]));
                IsTouched[i] |= other.IsTouched[i];
            }

            return changes;
        }
    }
}
