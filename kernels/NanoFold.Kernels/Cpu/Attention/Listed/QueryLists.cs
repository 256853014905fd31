using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention.Listed;

/// <summary>The lists of keys of a call, as kernels read them.</summary>
internal readonly unsafe struct QueryLists
{
    private readonly int* _lists;
    private readonly int _count, _heads, _most, _keySize, _time, _keys;
    private readonly SeenKeys _seen;

    public QueryLists(in KeptKeys kept, int heads, int time, int keys, in SeenKeys seen)
    {
        _lists = kept.Lists.Ints;
        _count = kept.Lists.Layout[1];
        _most = kept.Lists.Layout[3];
        _keySize = kept.KeySize;
        _heads = heads / _count;
        (_time, _keys, _seen) = (time, keys, seen);
    }

    /// <summary>Keys of a list at most.</summary>
    public int Most => (int)Math.Min(_keys, (long)_most * _keySize);

    /// <summary>Elements of <see cref="Of"/>'s room.</summary>
    public int Room => _keySize == 1 ? 0 : Most;

    /// <summary>The keys of a query, ascending.</summary>
    /// <param name="batch">Its row.</param>
    /// <param name="head">Its head.</param>
    /// <param name="query">Its number.</param>
    /// <param name="room">For <see cref="Room"/> keys, where lists are of blocks.</param>
    /// <param name="count">How many.</param>
    /// <exception cref="ArgumentException">A list is not ascending, or names what is not there. Lists come from memory that others may write to.</exception>
    public int* Of(int batch, int head, int query, int* room, out int count)
    {
        int* list = _lists + ((((long)batch * _count) + (head / _heads)) * _time + query) * _most;
        int size = 0, last = -1;
        for (; size < _most && list[size] >= 0; size++)
        {
            if (list[size] <= last || (long)list[size] * _keySize >= _keys)
            {
                throw new ArgumentException($"key lists: {list[size]} stands after {last} in a list for {_keys} keys in blocks of {_keySize}, expected ascending ones that are there");
            }

            last = list[size];
        }

        count = size;
        return _keySize == 1 ? list : Expanded(batch, query, list, size, room, out count);
    }

    // Of a block what the query sees.
    private int* Expanded(int batch, int query, int* list, int size, int* room, out int count)
    {
        (int sinkEnd, int start, int end) = _seen.Row(batch, query);
        int* documents = _seen.Documents(batch);
        int position = _seen.Position(batch, query);
        count = 0;
        for (int i = 0; i < size; i++)
        {
            int first = list[i] * _keySize, after = (int)Math.Min(first + (long)_keySize, _keys);
            for (int j = first; j < after; j++)
            {
                bool isSeen = (j < sinkEnd || (j >= start && j < end)) && (documents is null || documents[j] == documents[position]);
                room[count] = j;
                count += isSeen ? 1 : 0;
            }
        }

        return room;
    }
}
