namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>Keys and values of one head, side by side in a cache, and what to fetch from memory while they are read.</summary>
internal readonly unsafe struct CacheRows(void* keys, nint keyRow, void* values, nint valueRow, int count)
{
    /// <summary>Rows to be ahead by: rows of different heads interleave, which the hardware does not follow by itself.</summary>
    public const int Distance = 16;

    public void* Keys => keys;

    /// <summary>Elements between keys.</summary>
    public nint KeyRow => keyRow;

    public void* Values => values;

    public nint ValueRow => valueRow;

    public int Count => count;

    /// <summary>Rows to fetch, one for each key read; null for none.</summary>
    public void* AheadKeys { get; private init; }

    public nint AheadKeyRow { get; private init; }

    public void* AheadValues { get; private init; }

    public nint AheadValueRow { get; private init; }

    public CacheRows WithAhead(void* aheadKeys, nint aheadKeyRow, void* aheadValues, nint aheadValueRow) =>
        new(keys, keyRow, values, valueRow, count)
        {
            AheadKeys = aheadKeys,
            AheadKeyRow = aheadKeyRow,
            AheadValues = aheadValues,
            AheadValueRow = aheadValueRow,
        };
}
