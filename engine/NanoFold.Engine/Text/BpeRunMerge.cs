using System.Numerics;

namespace NanoFold.Engine.Text;

/// <summary>
/// Merges in long pieces of a few runs of one symbol, such as megabytes of spaces: (token, count) stands for many equal tokens, so that time and memory depend on the runs.
/// For merges that come after those of their parts: then all pairs of a rank are done in one pass from left to right.
/// </summary>
internal sealed class BpeRunMerge(MergeTable merges)
{
    private const int MostRuns = 64;
    private List<(int Token, int Count)> _runs = [];
    private List<(int Token, int Count)> _next = [];

    /// <summary>Merges symbols where they have few runs; otherwise nothing is done.</summary>
    /// <param name="symbols">Tokens, or bytes.</param>
    /// <param name="tokens">The token of each byte; none where symbols are tokens.</param>
    /// <param name="ids">Gets what they merge to.</param>
    public bool TryMerge<T>(ReadOnlySpan<T> symbols, ReadOnlySpan<int> tokens, List<int> ids)
        where T : unmanaged, IBinaryInteger<T>
    {
        _runs.Clear();
        for (int start = 0; start < symbols.Length;)
        {
            int length = symbols[start..].IndexOfAnyExcept(symbols[start]);
            length = length < 0 ? symbols.Length - start : length;
            if (_runs.Count == MostRuns)
            {
                return false;
            }

            int symbol = int.CreateTruncating(symbols[start]);
            _runs.Add((tokens.IsEmpty ? symbol : tokens[symbol], length));
            start += length;
        }

        while (LowestRank() is var rank && rank != MergeTable.None)
        {
            Pass(rank);
            (_runs, _next) = (_next, _runs);
        }

        foreach ((int token, int count) in _runs)
        {
            for (int i = 0; i < count; i++)
            {
                ids.Add(token);
            }
        }

        return true;
    }

    private int LowestRank()
    {
        int lowest = MergeTable.None;
        for (int i = 0; i < _runs.Count; i++)
        {
            lowest = _runs[i].Count > 1 ? Math.Min(lowest, merges.Rank(_runs[i].Token, _runs[i].Token)) : lowest;
            lowest = i + 1 < _runs.Count ? Math.Min(lowest, merges.Rank(_runs[i].Token, _runs[i + 1].Token)) : lowest;
        }

        return lowest;
    }

    private void Pass(int rank)
    {
        _next.Clear();
        bool taken = false;
        for (int i = 0; i < _runs.Count; i++)
        {
            // The run before may have taken the first of this one.
            (int token, int count) = _runs[i];
            count -= taken ? 1 : 0;
            taken = false;
            if (count > 1 && merges.Rank(token, token) == rank)
            {
                Add(merges.Merged(rank, token, token), count / 2);
                count %= 2;
            }

            if (count > 0 && i + 1 < _runs.Count && merges.Rank(token, _runs[i + 1].Token) == rank)
            {
                Add(token, count - 1);
                Add(merges.Merged(rank, token, _runs[i + 1].Token), 1);
                taken = true;
                continue;
            }

            Add(token, count);
        }
    }

    private void Add(int token, int count)
    {
        if (count == 0)
        {
            return;
        }

        if (_next.Count > 0 && _next[^1].Token == token)
        {
            _next[^1] = (token, _next[^1].Count + count);
        }
        else
        {
            _next.Add((token, count));
        }
    }
}
