using NanoFold.Kernels;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Pieces laid into rows of one length: the longest first, each into the row that it fills best, so that it depends on nothing but the lengths. Training goes through all rows
/// before one comes again, in an order of its own each time.
/// </summary>
internal sealed class PackedRows
{
    // Keeps the draws apart from others keyed by the same seed.
    private const ulong Stream = 0x7061636B642D7631;
    private const int Rounds = 4;

    private readonly int[] _pieces;
    private readonly int[] _starts;

    /// <param name="lengths">Places that each piece takes, at most those of a row.</param>
    /// <param name="time">Places of a row.</param>
    /// <param name="most">Pieces that a row has at most.</param>
    public PackedRows(IReadOnlyList<int> lengths, int time, int most)
    {
        var rows = new List<List<int>>();
        // Rows by the places that are left in them.
        var open = new Stack<List<int>>[time + 1];
        foreach (int piece in Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]))
        {
            int length = lengths[piece], left = length;
            while (left <= time && open[left] is not { Count: > 0 })
            {
                left++;
            }

            List<int> row;
            if (left <= time)
            {
                row = open[left].Pop();
            }
            else
            {
                rows.Add(row = []);
                left = time;
            }

            row.Add(piece);
            if (row.Count < most)
            {
                (open[left - length] ??= new Stack<List<int>>()).Push(row);
            }
        }

        _pieces = [.. rows.SelectMany(row => row)];
        _starts = new int[rows.Count + 1];
        for (int i = 0; i < rows.Count; i++)
        {
            _starts[i + 1] = _starts[i] + rows[i].Count;
        }

        Most = rows.Count == 0 ? 1 : rows.Max(row => row.Count);
    }

    /// <summary>How many rows there are.</summary>
    public int Count => _starts.Length - 1;

    /// <summary>Pieces that a row has at most.</summary>
    public int Most { get; }

    /// <summary>The pieces of a row.</summary>
    public ReadOnlySpan<int> this[int row] => _pieces.AsSpan(_starts[row], _starts[row + 1] - _starts[row]);

    /// <summary>The row that a row of training is: a permutation of all of them for each time that they are gone through.</summary>
    /// <param name="key">Which.</param>
    /// <param name="accumulate">Micro-batches of a step.</param>
    /// <param name="seed">Decides the order.</param>
    public int RowOf(in RowKey key, int accumulate, ulong seed)
    {
        long number = (key.Step * key.Rows * accumulate) + key.Number;
        return Permuted((int)(number % Count), seed ^ Stream, (ulong)(number / Count));
    }

    // A Feistel network over a square that holds all rows, walked until it lands on one of them: a permutation that needs no memory.
    private int Permuted(int row, ulong key, ulong pass)
    {
        int half = 1;
        while ((long)half * half < Count)
        {
            half++;
        }

        do
        {
            int left = row / half, right = row % half;
            for (uint round = 0; round < Rounds; round++)
            {
                int mixed = (int)Philox.Below((ulong)half, key, ((ulong)round << 32) | (uint)right, pass);
                (left, right) = (right, (left + mixed) % half);
            }

            row = (left * half) + right;
        }
        while (row >= Count);

        return row;
    }
}
