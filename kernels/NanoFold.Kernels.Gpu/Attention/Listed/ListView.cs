using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Lists of keys, or of blocks of keys, as kernels read them. Without lists each query has one of all keys.</summary>
internal struct ListView
{
    /// <summary>[B, L, T, n].</summary>
    public ArrayView<int> Lists;

    /// <summary>Lists of a query, and the heads that share one.</summary>
    public int Count, GroupHeads;

    public int HasLists, Most, KeySize, Time, Keys;

    public static ListView Of(GpuContext context, in KeptKeys kept, int heads, int keys) => new()
    {
        Lists = context.View<int>(kept.Lists),
        HasLists = kept.Lists.IsNone ? 0 : 1,
        Count = kept.Lists.IsNone ? 1 : kept.Lists.Layout[1],
        GroupHeads = kept.Lists.IsNone ? heads : heads / kept.Lists.Layout[1],
        Most = kept.Lists.IsNone ? keys : kept.Lists.Layout[3],
        KeySize = kept.Lists.IsNone ? 1 : kept.KeySize,
        Time = kept.Lists.IsNone ? 0 : kept.Lists.Layout[2],
        Keys = keys,
    };

    /// <summary>An entry of the list that begins at a place; below 0 after its last.</summary>
    public readonly int At(long first, int entry) => HasLists == 0 ? entry : Lists[first + entry];

    /// <summary>Places for keys in a list.</summary>
    public readonly int Length => Most * KeySize;

    /// <summary>Where the list of a query begins.</summary>
    public readonly long First(int batch, int head, int query) => (((long)batch * Count + head / GroupHeads) * Time + query) * Most;

    /// <summary>The entry of a list from which on keys are not before one.</summary>
    public readonly int From(long first, int key)
    {
        int block = key / KeySize, low = 0, high = Most;
        while (low < high)
        {
            int middle = (low + high) / 2, entry = At(first, middle);
            if (entry >= 0 && entry < block)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}

/// <summary>The keys of one list by their place; places that hold none have a key of no weight.</summary>
internal struct ListOrder : IKeyOrder
{
    public ListView View;
    public long First;

    /// <summary>Below 0 where there is none.</summary>
    public readonly int KeyAt(int place)
    {
        int entry = View.At(First, place / View.KeySize), key = entry * View.KeySize + place % View.KeySize;
        return entry < 0 || key >= View.Keys ? -1 : key;
    }

    public readonly int At(int index) => IntrinsicMath.Max(KeyAt(index), 0);
}
