using System.Numerics;

namespace NanoFold.Engine.Text;

/// <summary>Finds the rank of a pair of tokens: open addressing over a table at most half full.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that is not merged: after every other.</summary>
    public const int None = int.MaxValue;

    private readonly ulong[] _pairs;
    private readonly int[] _ranks;
    private readonly int[] _merged;
    private readonly int _shift;

    public MergeTable(ReadOnlySpan<BpeMerge> merges)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Length * 2));
        _shift = 64 - BitOperations.Log2((uint)size);
        _pairs = new ulong[size];
        _ranks = new int[size];
        Array.Fill(_ranks, None);
        _merged = new int[merges.Length];
        for (int rank = 0; rank < merges.Length; rank++)
        {
            ulong pair = Pair(merges[rank].Left, merges[rank].Right);
            int slot = Slot(pair);
            while (_ranks[slot] != None && _pairs[slot] != pair)
            {
                slot = (slot + 1) & (size - 1);
            }

            _pairs[slot] = pair;
            _ranks[slot] = rank;
            _merged[rank] = merges[rank].Merged;
        }
    }

    /// <summary>The token that the merge of this rank gives.</summary>
    public int MergedAt(int rank) => _merged[rank];

    /// <summary>The rank of the pair, or <see cref="None"/>.</summary>
    public int Rank(int left, int right)
    {
        ulong pair = Pair(left, right);
        int slot = Slot(pair);
        while (_pairs[slot] != pair && _ranks[slot] != None)
        {
            slot = (slot + 1) & (_pairs.Length - 1);
        }

        return _ranks[slot];
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong pair) => (int)((pair * 0x9E3779B97F4A7C15) >> _shift);
}
