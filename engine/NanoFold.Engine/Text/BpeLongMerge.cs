namespace NanoFold.Engine.Text;

/// <summary>
/// Merges in long pieces. Tokens stay where their first symbol was (−1 where there is none any more); the links of a token's first and last place lead
/// to each other.
/// </summary>
internal static class BpeLongMerge
{
    /// <summary>
    /// For merges that come after those of their parts: what a merge makes has only pairs of higher ranks, so all pairs of a rank are done together, from left
    /// to right. Linear in the length but for sorting; twelve bytes a symbol.
    /// </summary>
    public static void ByRanks(MergeTable merges, Span<int> tokens, List<int> ids)
    {
        int[] links = new int[tokens.Length];
        var places = new Dictionary<int, PlaceList>();
        var ranks = new PriorityQueue<int, int>();
        for (int i = 0; i < links.Length; i++)
        {
            links[i] = i;
        }

        for (int i = 0; i + 1 < links.Length; i++)
        {
            Offer(tokens, i, i + 1);
        }

        while (ranks.TryDequeue(out int rank, out _))
        {
            places.Remove(rank, out PlaceList? list);
            foreach (int place in list!.InOrder())
            {
                int right = links[place] + 1;
                if (tokens[place] < 0 || right == links.Length || merges.Rank(tokens[place], tokens[right]) != rank)
                {
                    continue;
                }

                Join(merges, tokens, links, place, rank);
                if (place > 0)
                {
                    Offer(tokens, links[place - 1], place);
                }

                if (links[place] + 1 < links.Length)
                {
                    Offer(tokens, place, links[place] + 1);
                }
            }
        }

        Give(tokens, ids);

        void Offer(ReadOnlySpan<int> tokens, int place, int right)
        {
            int rank = merges.Rank(tokens[place], tokens[right]);
            if (rank == MergeTable.None)
            {
                return;
            }

            if (!places.TryGetValue(rank, out PlaceList? list))
            {
                places[rank] = list = new PlaceList();
                ranks.Enqueue(rank, rank);
            }

            list.Add(place);
        }
    }

    /// <summary>For merges in any order: a heap of pairs by rank and place, in which those that have changed are passed over.</summary>
    public static void ByHeap(MergeTable merges, Span<int> tokens, List<int> ids)
    {
        int[] links = new int[tokens.Length];
        var queue = new PriorityQueue<int, ulong>();
        for (int i = 0; i < links.Length; i++)
        {
            links[i] = i;
        }

        for (int i = 0; i + 1 < links.Length; i++)
        {
            Offer(tokens, i, i + 1);
        }

        while (queue.TryDequeue(out int place, out ulong priority))
        {
            int right = links[place] + 1;
            if (tokens[place] < 0 || right == links.Length || merges.Rank(tokens[place], tokens[right]) != (int)(priority >> 32))
            {
                continue;
            }

            Join(merges, tokens, links, place, (int)(priority >> 32));
            if (place > 0)
            {
                Offer(tokens, links[place - 1], place);
            }

            if (links[place] + 1 < links.Length)
            {
                Offer(tokens, place, links[place] + 1);
            }
        }

        Give(tokens, ids);

        void Offer(ReadOnlySpan<int> tokens, int place, int right)
        {
            int rank = merges.Rank(tokens[place], tokens[right]);
            if (rank != MergeTable.None)
            {
                queue.Enqueue(place, ((ulong)(uint)rank << 32) | (uint)place);
            }
        }
    }

    private static void Join(MergeTable merges, Span<int> tokens, int[] links, int place, int rank)
    {
        int right = links[place] + 1;
        int end = links[right];
        tokens[place] = merges.Merged(rank, tokens[place], tokens[right]);
        tokens[right] = -1;
        links[place] = end;
        links[end] = place;
    }

    private static void Give(ReadOnlySpan<int> tokens, List<int> ids)
    {
        foreach (int token in tokens)
        {
            if (token >= 0)
            {
                ids.Add(token);
            }
        }
    }

    /// <summary>Places in blocks, so that a long list is never copied to grow.</summary>
    private sealed class PlaceList
    {
        private const int Largest = 1 << 16;
        private readonly List<int[]> _full = [];
        private int[] _block = new int[4];
        private int _count;
        private int _last = -1;
        private bool _sorted = true;

        public void Add(int place)
        {
            if (_count == _block.Length)
            {
                _full.Add(_block);
                _block = new int[Math.Min(Largest, _block.Length * 2)];
                _count = 0;
            }

            _sorted &= place >= _last;
            _last = place;
            _block[_count++] = place;
        }

        public IEnumerable<int> InOrder()
        {
            IEnumerable<int> places = _full.SelectMany(block => block).Concat(_block.Take(_count));
            if (_sorted)
            {
                return places;
            }

            int[] sorted = [.. places];
            Array.Sort(sorted);
            return sorted;
        }
    }
}
