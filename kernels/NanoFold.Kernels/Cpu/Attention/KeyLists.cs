using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>A <see cref="BlockTable"/> as kernels read it, or none.</summary>
internal readonly unsafe struct KeyLists
{
    private readonly int* _blocks, _counts;
    private readonly int _most, _keySize, _keys, _rows, _share;

    /// <param name="table">May be none.</param>
    /// <param name="pairs">B · H.</param>
    /// <param name="queries">T.</param>
    /// <param name="keys">S.</param>
    public KeyLists(in BlockTable table, int pairs, int queries, int keys)
    {
        _blocks = table.Lists.Ints;
        _counts = table.Counts.Ints;
        QuerySize = Math.Max(1, table.IsNone ? queries : table.QuerySize);
        _keySize = table.KeySize;
        _most = table.IsNone ? 0 : table.Most;
        _keys = keys;
        _rows = BlockSizes.Count(queries, QuerySize);
        _share = table.Share(pairs, queries);
    }

    public bool IsNone => _blocks is null;

    /// <summary>Queries that have one list; all where there are none.</summary>
    public int QuerySize { get; }

    /// <summary>Queries from one on, up to <paramref name="end"/>, that have one list.</summary>
    public int Together(int query, int end) => IsNone ? end - query : Math.Min(end, ((query / QuerySize) + 1) * QuerySize) - query;

    /// <summary>The list of a query.</summary>
    /// <param name="pair">Batch row · heads + head.</param>
    /// <param name="query">Its number.</param>
    public KeyList Of(long pair, int query)
    {
        long row = (pair / _share * _rows) + (query / QuerySize);
        return IsNone ? default : new KeyList(_blocks + (row * _most), Math.Min(_counts[row], _most), _keySize, _keys);
    }
}

/// <summary>The key blocks listed for one block of queries.</summary>
internal readonly unsafe struct KeyList(int* blocks, int count, int size, int keys)
{
    public bool IsNone => size == 0;

    /// <summary>Blocks listed.</summary>
    public int Count => count;

    /// <summary>A block of the list.</summary>
    /// <exception cref="ArgumentException">It is not after the one before it, or not there. Lists come from memory that others may write to.</exception>
    public int Block(int entry)
    {
        int block = blocks[entry];
        if (block < 0 || (long)block * size >= keys || (entry > 0 && block <= blocks[entry - 1]))
        {
            throw new ArgumentException($"block {block} stands in place {entry} of a list for {keys} keys in blocks of {size}, expected ascending blocks that are there");
        }

        return block;
    }

    /// <summary>The next run of keys whose blocks stand side by side.</summary>
    /// <exception cref="ArgumentException">See <see cref="Block"/>.</exception>
    public bool Next(ref int entry, out int first, out int end)
    {
        first = end = 0;
        if (entry >= count)
        {
            return false;
        }

        int block = Block(entry++);
        first = block * size;
        while (entry < count && Block(entry) == block + 1)
        {
            block++;
            entry++;
        }

        end = Math.Min((int)Math.Min((block + 1L) * size, int.MaxValue), keys);
        return true;
    }
}
