using System.Runtime.InteropServices;

namespace NanoFold.Engine.Text;

/// <summary>
/// Merges the bytes of one piece into tokens: as long as two neighbors are a merge, the merge of the lowest rank
/// (and among equals the leftmost) is done. Remembers pieces it has seen. Not for several threads at once.
/// </summary>
internal sealed class BpeEncoder(MergeTable merges, int[] byteIds, Dictionary<byte[], int>? wholePieces)
{
    private const int CachedPieces = 1 << 16;
    private const int LongestCached = 64;

    // Up to this length all neighbors are looked through for each merge; beyond, a heap keeps it O(n log n).
    private const int LongestScanned = 64;

    private readonly Dictionary<byte[], int[]> _cache = new(WordComparer.Instance);
    private readonly int[] _ids = new int[LongestScanned];
    private readonly int[] _ranks = new int[LongestScanned];

    /// <summary>Appends the tokens of <paramref name="piece"/>.</summary>
    public void Encode(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (piece.Length == 1)
        {
            ids.Add(byteIds[piece[0]]);
            return;
        }

        var cache = _cache.GetAlternateLookup<ReadOnlySpan<byte>>();
        if (cache.TryGetValue(piece, out int[]? known))
        {
            ids.AddRange(known);
            return;
        }

        int first = ids.Count;
        if (wholePieces is not null && wholePieces.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(piece, out int whole))
        {
            ids.Add(whole);
        }
        else if (piece.Length <= LongestScanned)
        {
            Scan(piece, ids);
        }
        else
        {
            Heap(piece, ids);
        }

        if (piece.Length <= LongestCached && _cache.Count < CachedPieces)
        {
            cache[piece] = CollectionsMarshal.AsSpan(ids)[first..].ToArray();
        }
    }

    private void Scan(ReadOnlySpan<byte> piece, List<int> ids)
    {
        Span<int> tokens = _ids.AsSpan(0, piece.Length);
        Span<int> ranks = _ranks.AsSpan(0, piece.Length);
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = byteIds[piece[i]];
        }

        // ranks[i] belongs to the pair (i, i + 1); the last token has no pair.
        for (int i = 0; i + 1 < tokens.Length; i++)
        {
            ranks[i] = merges.Rank(tokens[i], tokens[i + 1]);
        }

        int count = tokens.Length;
        while (count > 1)
        {
            int best = 0;
            for (int i = 1; i < count - 1; i++)
            {
                best = ranks[i] < ranks[best] ? i : best;
            }

            if (ranks[best] == MergeTable.None)
            {
                break;
            }

            tokens[best] = merges.MergedAt(ranks[best]);
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

        ids.AddRange(tokens[..count]);
    }

    // The same, over a doubly linked list of tokens; a heap entry is stale where the pair at its place changed.
    private void Heap(ReadOnlySpan<byte> piece, List<int> ids)
    {
        int[] tokens = new int[piece.Length];
        int[] next = new int[piece.Length];
        int[] previous = new int[piece.Length];
        var queue = new PriorityQueue<int, (int Rank, int Place)>();
        for (int i = 0; i < tokens.Length; i++)
        {
            tokens[i] = byteIds[piece[i]];
            next[i] = i + 1 < tokens.Length ? i + 1 : -1;
            previous[i] = i - 1;
        }

        for (int i = 0; i + 1 < tokens.Length; i++)
        {
            Offer(i);
        }

        while (queue.TryDequeue(out int place, out (int Rank, int Place) priority))
        {
            int right = tokens[place] < 0 ? -1 : next[place];
            if (right < 0 || merges.Rank(tokens[place], tokens[right]) != priority.Rank)
            {
                continue;
            }

            tokens[place] = merges.MergedAt(priority.Rank);
            tokens[right] = -1;
            next[place] = next[right];
            if (next[place] >= 0)
            {
                previous[next[place]] = place;
                Offer(place);
            }

            if (previous[place] >= 0)
            {
                Offer(previous[place]);
            }
        }

        for (int i = 0; i >= 0; i = next[i])
        {
            ids.Add(tokens[i]);
        }

        void Offer(int place)
        {
            int rank = merges.Rank(tokens[place], tokens[next[place]]);
            if (rank != MergeTable.None)
            {
                queue.Enqueue(place, (rank, place));
            }
        }
    }
}
