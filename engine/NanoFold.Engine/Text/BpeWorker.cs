using System.Numerics.Tensors;

namespace NanoFold.Engine.Text;

/// <summary>
/// Merges symbols to tokens: as long as two neighbors are a merge, the merge of the lowest rank (and among equals the leftmost) is done.
/// For one thread at a time.
/// </summary>
internal sealed class BpeWorker(MergeTable merges)
{
    // Up to this length all neighbors are looked through for each merge.
    private const int LongestScanned = 256;
    private const int KeptSymbols = 1 << 18;

    private readonly int[] _ranks = new int[LongestScanned];
    private readonly BpeRunMerge _runs = new(merges);
    private int[] _symbols = new int[LongestScanned];

    /// <summary>What came before.</summary>
    public PieceMemory Memory { get; } = new();

    public MergeTable Merges => merges;

    /// <summary>Appends what a piece merges to, each byte of which is a symbol.</summary>
    public void Merge(ReadOnlySpan<byte> piece, int[] byteIds, List<int> ids)
    {
        if (piece.Length > LongestScanned && merges.InOrder && _runs.TryMerge<byte>(piece, byteIds, ids))
        {
            return;
        }

        Span<int> symbols = Symbols(piece.Length);
        for (int i = 0; i < symbols.Length; i++)
        {
            symbols[i] = byteIds[piece[i]];
        }

        Merge(symbols, ids);
    }

    /// <summary>Room for symbols; the same for every call.</summary>
    public Span<int> Symbols(int count)
    {
        if (_symbols.Length < count)
        {
            _symbols = new int[Math.Max(count, Math.Min(Array.MaxLength, _symbols.Length * 2L))];
        }

        return _symbols.AsSpan(0, count);
    }

    /// <summary>The same room, grown, with what is in it.</summary>
    public void Grow(int count)
    {
        if (_symbols.Length < count)
        {
            Array.Resize(ref _symbols, (int)Math.Max(count, Math.Min(Array.MaxLength, _symbols.Length * 2L)));
        }
    }

    /// <summary>Lets go of what a very long piece needed.</summary>
    public void Trim() => _symbols = _symbols.Length > KeptSymbols ? new int[LongestScanned] : _symbols;

    /// <summary>Appends what <paramref name="symbols"/> merge to; they are overwritten.</summary>
    public void Merge(Span<int> symbols, List<int> ids)
    {
        if (symbols.Length <= LongestScanned)
        {
            ids.AddRange(symbols[..Scan(symbols)]);
            return;
        }

        if (merges.InOrder && _runs.TryMerge<int>(symbols, [], ids))
        {
            return;
        }

        // What can never come together is merged apart.
        int start = 0;
        for (int i = 1; i <= symbols.Length; i++)
        {
            if (i == symbols.Length || !merges.MayMeet(symbols[i - 1], symbols[i]))
            {
                Span<int> part = symbols[start..i];
                start = i;
                if (part.Length <= LongestScanned)
                {
                    ids.AddRange(part[..Scan(part)]);
                }
                else if (merges.InOrder)
                {
                    BpeLongMerge.ByRanks(merges, part, ids);
                }
                else
                {
                    BpeLongMerge.ByHeap(merges, part, ids);
                }
            }
        }
    }

    // ranks[i] belongs to the pair (i, i + 1); the last token has no pair.
    private int Scan(Span<int> tokens)
    {
        int count = tokens.Length;
        if (count < 2)
        {
            return count;
        }

        Span<int> ranks = _ranks.AsSpan(0, count);
        for (int i = 0; i + 1 < count; i++)
        {
            ranks[i] = merges.Rank(tokens[i], tokens[i + 1]);
        }

        while (count > 1)
        {
            int rank = TensorPrimitives.Min<int>(ranks[..(count - 1)]);
            if (rank == MergeTable.None)
            {
                break;
            }

            int best = ranks.IndexOf(rank);
            tokens[best] = merges.Merged(rank, tokens[best], tokens[best + 1]);
            tokens[(best + 2)..count].CopyTo(tokens[(best + 1)..]);
            ranks[(best + 1)..(count - 1)].CopyTo(ranks[best..]);
            count--;
            if (best > 0)
            {
                ranks[best - 1] = merges.Rank(tokens[best - 1], tokens[best]);
            }

            if (best + 1 < count)
            {
                ranks[best] = merges.Rank(tokens[best], tokens[best + 1]);
            }
        }

        return count;
    }
}
