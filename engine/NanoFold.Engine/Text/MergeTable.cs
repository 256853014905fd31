using System.Numerics;

namespace NanoFold.Engine.Text;

/// <summary>
/// Finds the rank of a pair of tokens: open addressing over a table at most half full. Of a pair that stands twice the later counts. Several pairs may have one rank; then
/// the leftmost is merged first.
/// </summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that is not merged: after every other.</summary>
    public const int None = int.MaxValue;

    private const int Several = -2;

    private readonly Slot[] _slots;
    private readonly int[] _merged;
    private readonly int _shift;
    private readonly Lazy<HashSet<ulong>> _neighbors;

    /// <param name="merges">In order of rank.</param>
    /// <param name="ranks">The rank of each, rising from 0; its place where they are not given.</param>
    public MergeTable(IReadOnlyList<BpeMerge> merges, IReadOnlyList<int>? ranks = null)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Count * 2));
        _shift = 64 - BitOperations.Log2((uint)size);
        _slots = new Slot[size];
        Array.Fill(_slots, new Slot(0, None, 0));
        _merged = new int[merges.Count];
        for (int i = 0; i < merges.Count; i++)
        {
            int rank = ranks is null ? i : ranks[i];
            ulong pair = Pair(merges[i].Left, merges[i].Right);
            int place = PlaceOf(pair);
            while (_slots[place].Rank != None && _slots[place].Pair != pair)
            {
                place = (place + 1) & (size - 1);
            }

            // Where the merges of a rank give different tokens, the pair decides.
            bool another = i > 0 && ranks is not null && ranks[i - 1] == rank && _merged[rank] != merges[i].Merged;
            _slots[place] = new Slot(pair, rank, merges[i].Merged);
            _merged[rank] = another ? Several : merges[i].Merged;
        }

        InOrder = MakesPartsFirst(merges, ranks);
        _neighbors = new Lazy<HashSet<ulong>>(() => BuildNeighbors(merges));
    }

    /// <summary>Whether every merge comes after all those that make its parts: then nothing that a merge makes is merged by one before it.</summary>
    public bool InOrder { get; }

    /// <summary>The token that a pair of this rank gives.</summary>
    public int Merged(int rank, int left, int right) => _merged[rank] is var merged && merged != Several ? merged : _slots[Find(left, right)].Merged;

    /// <summary>The rank of the pair, or <see cref="None"/>.</summary>
    public int Rank(int left, int right) => _slots[Find(left, right)].Rank;

    /// <summary>Whether two symbols that are not merged yet may ever become parts of one token; where not, a text may be cut between them.</summary>
    public bool MayMeet(int left, int right) => _neighbors.Value.Contains(Pair(left, right));

    // Where a pair is.
    private int Find(int left, int right)
    {
        ulong pair = Pair(left, right);
        Slot[] slots = _slots;
        int place = PlaceOf(pair);
        while (slots[place].Pair != pair && slots[place].Rank != None)
        {
            place = (place + 1) & (slots.Length - 1);
        }

        return place;
    }

    private static bool MakesPartsFirst(IReadOnlyList<BpeMerge> merges, IReadOnlyList<int>? ranks)
    {
        var lastMade = new Dictionary<int, int>();
        for (int i = 0; i < merges.Count; i++)
        {
            lastMade[merges[i].Merged] = ranks is null ? i : ranks[i];
        }

        for (int i = 0; i < merges.Count; i++)
        {
            int rank = ranks is null ? i : ranks[i];
            if (lastMade.GetValueOrDefault(merges[i].Left, -1) >= rank || lastMade.GetValueOrDefault(merges[i].Right, -1) >= rank)
            {
                return false;
            }
        }

        return true;
    }

    // A merge joins the last symbol of its left part and the first of its right one.
    private static HashSet<ulong> BuildNeighbors(IReadOnlyList<BpeMerge> merges)
    {
        var first = new Dictionary<int, int>();
        var last = new Dictionary<int, int>();
        var pairs = new HashSet<ulong>();

        // Parts that are made later than they are used need another round.
        for (int known = -1; known != pairs.Count;)
        {
            known = pairs.Count;
            foreach (BpeMerge merge in merges)
            {
                first[merge.Merged] = first.GetValueOrDefault(merge.Left, merge.Left);
                last[merge.Merged] = last.GetValueOrDefault(merge.Right, merge.Right);
                pairs.Add(Pair(last.GetValueOrDefault(merge.Left, merge.Left), first.GetValueOrDefault(merge.Right, merge.Right)));
            }
        }

        return pairs;
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int PlaceOf(ulong pair) => (int)((pair * 0x9E3779B97F4A7C15) >> _shift);

    private readonly record struct Slot(ulong Pair, int Rank, int Merged);
}
