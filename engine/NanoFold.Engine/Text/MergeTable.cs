using System.Numerics;

namespace NanoFold.Engine.Text;

/// <summary>
/// Finds the rank of a pair of tokens: open addressing over a table at most half full, whose slots hold pair and rank in eight bytes. Of a pair that stands twice the later
/// counts. Several pairs may have one rank; then the leftmost is merged first.
/// </summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that is not merged: after every other.</summary>
    public const int None = int.MaxValue;

    private const int IdBits = 21;
    private const int RankBits = 64 - (2 * IdBits);
    private const int Several = -1;
    private const int First = 256;
    private const int LogBitsPerSlot = 2;

    // The pair, then its rank and one; 0 where there is none.
    private readonly ulong[] _slots;

    // At least eight bits for each merge, of which that of its hash is set: small enough for a near cache, it answers for nine of ten pairs that are not merged.
    private readonly ulong[] _mayBe;
    private readonly int _mayBeShift;
    private readonly int[] _merged;

    // The ranks of the first tokens, which of most vocabularies are the bytes: pairs of them are looked up most.
    private readonly int[] _ofFirst = new int[First * First];
    private readonly Dictionary<ulong, int> _mergedOfPairs = [];
    private readonly int _shift;
    private readonly Lazy<PairSet> _neighbors;

    /// <param name="merges">In order of rank.</param>
    /// <param name="ranks">The rank of each, rising from 0; its place where they are not given.</param>
    /// <exception cref="FormatException">There are more tokens or merges than this can hold.</exception>
    public MergeTable(IReadOnlyList<BpeMerge> merges, IReadOnlyList<int>? ranks = null)
    {
        int highest = merges.Count == 0 ? 0 : merges.Max(merge => Math.Max(merge.Merged, Math.Max(merge.Left, merge.Right)));
        int count = ranks is { Count: > 0 } ? ranks[^1] + 1 : merges.Count;
        if (highest >= 1 << IdBits || count >= (1 << RankBits) - 1)
        {
            throw new FormatException($"more than {1 << IdBits} tokens or {(1 << RankBits) - 2} merges are not supported");
        }

        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Count * 2));
        _shift = 64 - BitOperations.Log2((uint)size);
        _slots = new ulong[size];
        _mayBeShift = _shift - LogBitsPerSlot;
        _mayBe = new ulong[Math.Max(1, (size << LogBitsPerSlot) / 64)];
        Array.Fill(_ofFirst, None);
        _merged = new int[count];
        for (int i = 0; i < merges.Count; i++)
        {
            Put(merges[i], ranks is null ? i : ranks[i]);
            if (ranks is not null && i > 0 && ranks[i] == ranks[i - 1] && _merged[ranks[i]] != merges[i].Merged)
            {
                // The merges of this rank give different tokens, so the pair decides.
                _merged[ranks[i]] = Several;
            }
            else
            {
                _merged[ranks is null ? i : ranks[i]] = merges[i].Merged;
            }
        }

        for (int i = 0; i < merges.Count && ranks is not null; i++)
        {
            if (_merged[ranks[i]] == Several)
            {
                _mergedOfPairs[Pair(merges[i].Left, merges[i].Right)] = merges[i].Merged;
            }
        }

        InOrder = MakesPartsFirst(merges, ranks, highest);
        _neighbors = new Lazy<PairSet>(() => Neighbors(merges, highest));
    }

    /// <summary>Whether every merge comes after all those that make its parts: then nothing that a merge makes is merged by one before it.</summary>
    public bool InOrder { get; }

    /// <summary>The token that a pair of this rank gives.</summary>
    public int Merged(int rank, int left, int right) => _merged[rank] is var merged && merged != Several ? merged : _mergedOfPairs[Pair(left, right)];

    /// <summary>The rank of the pair, or <see cref="None"/>.</summary>
    public int Rank(int left, int right)
    {
        if ((left | right) < First)
        {
            return _ofFirst[(left * First) + right];
        }

        ulong pair = Pair(left, right), hash = HashOf(pair);
        int bit = (int)(hash >> _mayBeShift);
        if ((_mayBe[bit / 64] >> (bit % 64) & 1) == 0)
        {
            return None;
        }

        ulong[] slots = _slots;
        for (int place = (int)(hash >> _shift); ; place = (place + 1) & (slots.Length - 1))
        {
            ulong slot = slots[place];
            if (slot == 0)
            {
                return None;
            }

            if (slot >> RankBits == pair)
            {
                return (int)(slot & ((1 << RankBits) - 1)) - 1;
            }
        }
    }

    /// <summary>Whether two symbols that are not merged yet may ever become parts of one token; where not, a text may be cut between them.</summary>
    public bool MayMeet(int left, int right) => _neighbors.Value.Contains(Pair(left, right));

    private static bool MakesPartsFirst(IReadOnlyList<BpeMerge> merges, IReadOnlyList<int>? ranks, int highest)
    {
        int[] lastMade = new int[highest + 1];
        Array.Fill(lastMade, -1);
        for (int i = 0; i < merges.Count; i++)
        {
            lastMade[merges[i].Merged] = ranks is null ? i : ranks[i];
        }

        for (int i = 0; i < merges.Count; i++)
        {
            int rank = ranks is null ? i : ranks[i];
            if (lastMade[merges[i].Left] >= rank || lastMade[merges[i].Right] >= rank)
            {
                return false;
            }
        }

        return true;
    }

    // A merge joins the last symbol of its left part and the first of its right one. Parts that are made later than they are used need another round.
    private PairSet Neighbors(IReadOnlyList<BpeMerge> merges, int highest)
    {
        int[] first = [.. Enumerable.Range(0, highest + 1)], last = [.. first];
        var pairs = new PairSet();
        for (bool again = true; again;)
        {
            int before = pairs.Count;
            foreach (BpeMerge merge in merges)
            {
                first[merge.Merged] = first[merge.Left];
                last[merge.Merged] = last[merge.Right];
                pairs.Add(Pair(last[merge.Left], first[merge.Right]));
            }

            again = !InOrder && pairs.Count > before;
        }

        return pairs;
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << IdBits) | (uint)right;

    private static ulong HashOf(ulong pair) => pair * 0x9E3779B97F4A7C15;

    private void Put(BpeMerge merge, int rank)
    {
        if ((merge.Left | merge.Right) < First)
        {
            _ofFirst[(merge.Left * First) + merge.Right] = rank;
            return;
        }

        ulong pair = Pair(merge.Left, merge.Right), hash = HashOf(pair);
        int place = (int)(hash >> _shift), bit = (int)(hash >> _mayBeShift);
        _mayBe[bit / 64] |= 1UL << (bit % 64);
        while (_slots[place] != 0 && _slots[place] >> RankBits != pair)
        {
            place = (place + 1) & (_slots.Length - 1);
        }

        _slots[place] = (pair << RankBits) | (uint)(rank + 1);
    }

    /// <summary>Pairs by open addressing; 0 with one added stands for none.</summary>
    private sealed class PairSet
    {
        private ulong[] _slots = new ulong[1024];

        public int Count { get; private set; }

        public bool Contains(ulong pair)
        {
            ulong[] slots = _slots;
            for (int place = PlaceOf(pair, slots.Length); ; place = (place + 1) & (slots.Length - 1))
            {
                if (slots[place] == 0 || slots[place] == pair + 1)
                {
                    return slots[place] != 0;
                }
            }
        }

        public void Add(ulong pair)
        {
            if (Contains(pair))
            {
                return;
            }

            if (++Count * 2 > _slots.Length)
            {
                ulong[] before = _slots;
                _slots = new ulong[before.Length * 2];
                foreach (ulong slot in before)
                {
                    if (slot != 0)
                    {
                        Put(slot);
                    }
                }
            }

            Put(pair + 1);
        }

        private static int PlaceOf(ulong pair, int size) => (int)((pair * 0x9E3779B97F4A7C15) >> (64 - BitOperations.Log2((uint)size)));

        private void Put(ulong slot)
        {
            int place = PlaceOf(slot - 1, _slots.Length);
            while (_slots[place] != 0)
            {
                place = (place + 1) & (_slots.Length - 1);
            }

            _slots[place] = slot;
        }
    }
}
