namespace NanoFold.Engine.Text;

/// <summary>
/// Merges in long pieces. Tokens stay where their first symbol was (−1 where there is none any more); the links of a token's first and last place lead
/// to each other. What may be merged waits in an agenda, in which pairs that have changed since are passed over.
/// </summary>
internal static class BpeLongMerge
{
    /// <summary>
    /// For merges that come after those of their parts: what a merge makes has only pairs of higher ranks, so all pairs of a rank are done together, from left
    /// to right. Linear in the length but for sorting; twelve bytes a symbol.
    /// </summary>
    public static void ByRanks(MergeTable merges, Span<int> tokens, List<int> ids) => Run(merges, tokens, ids, new RankAgenda());

    /// <summary>For merges in any order: a heap of pairs by rank and place.</summary>
    public static void ByHeap(MergeTable merges, Span<int> tokens, List<int> ids) => Run(merges, tokens, ids, new HeapAgenda());

    private static void Run(MergeTable merges, Span<int> tokens, List<int> ids, IAgenda agenda)
    {
        int[] links = new int[tokens.Length];
        for (int i = 0; i < links.Length; i++)
        {
            links[i] = i;
        }

        for (int i = 0; i + 1 < links.Length; i++)
        {
            Offer(tokens, i, i + 1);
        }

        while (agenda.TryTake(out int place, out int rank))
        {
            int right = links[place] + 1;
            if (tokens[place] < 0 || right == links.Length || merges.Rank(tokens[place], tokens[right]) != rank)
            {
                continue;
            }

            int end = links[right];
            tokens[place] = merges.Merged(rank, tokens[place], tokens[right]);
            tokens[right] = -1;
            links[place] = end;
            links[end] = place;
            if (place > 0)
            {
                Offer(tokens, links[place - 1], place);
            }

            if (end + 1 < links.Length)
            {
                Offer(tokens, place, end + 1);
            }
        }

        foreach (int token in tokens)
        {
            if (token >= 0)
            {
                ids.Add(token);
            }
        }

        void Offer(ReadOnlySpan<int> tokens, int place, int right)
        {
            int rank = merges.Rank(tokens[place], tokens[right]);
            if (rank != MergeTable.None)
            {
                agenda.Add(place, rank);
            }
        }
    }

    /// <summary>Pairs that may be merged, by rank and then from left to right.</summary>
    private interface IAgenda
    {
        void Add(int place, int rank);

        bool TryTake(out int place, out int rank);
    }

    private sealed class HeapAgenda : IAgenda
    {
        private readonly PriorityQueue<int, ulong> _queue = new();

        public void Add(int place, int rank) => _queue.Enqueue(place, ((ulong)(uint)rank << 32) | (uint)place);

        public bool TryTake(out int place, out int rank)
        {
            bool any = _queue.TryDequeue(out place, out ulong priority);
            rank = (int)(priority >> 32);
            return any;
        }
    }

    /// <summary>A list of places for each rank; that of the lowest is gone through as a whole.</summary>
    private sealed class RankAgenda : IAgenda
    {
        private readonly Dictionary<int, PlaceList> _lists = [];
        private readonly PriorityQueue<int, int> _ranks = new();
        private IEnumerator<int> _places = Enumerable.Empty<int>().GetEnumerator();
        private int _rank;

        public void Add(int place, int rank)
        {
            if (!_lists.TryGetValue(rank, out PlaceList? list))
            {
                _lists[rank] = list = new PlaceList();
                _ranks.Enqueue(rank, rank);
            }

            list.Add(place);
        }

        public bool TryTake(out int place, out int rank)
        {
            while (!_places.MoveNext())
            {
                if (!_ranks.TryDequeue(out _rank, out _))
                {
                    (place, rank) = (0, 0);
                    return false;
                }

                _lists.Remove(_rank, out PlaceList? list);
                _places = list!.InOrder().GetEnumerator();
            }

            (place, rank) = (_places.Current, _rank);
            return true;
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
