using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention.Selected;

/// <summary>Which keys each query sees where queries beside each other may see other blocks: those of its list, or all means of blocks that have ended.</summary>
internal struct SelectedView
{
    public BlockLists Lists;

    /// <summary>Documents of tokens; where queries stand, and how many there are, while decoding.</summary>
    public ArrayView<int> Documents, Positions, Counts;

    /// <summary>Tokens that a key stands for, those of a row, and where query 0 stands.</summary>
    public int Span, Tokens, Shift;

    public int Time, Keys, Heads, GroupHeads, HasDocuments, IsDecoding;

    /// <summary>A full pass over lists.</summary>
    public static SelectedView Of(GpuContext context, in AttentionShape shape, in Visible visible)
    {
        SelectedView view = Of(context, shape.Batch, shape.Time, shape.Keys, shape.Heads, shape.Group, visible.Blocks);
        view.Span = 1;
        view.Shift = shape.Shift;
        view.Tokens = shape.Keys;
        view.HasDocuments = visible.Documents.IsNone ? 0 : 1;
        view.Documents = context.View<int>(visible.Documents);
        return view;
    }

    /// <summary>Over means.</summary>
    public static SelectedView Of(GpuContext context, in AttentionShape shape, in PooledBlocks blocks)
    {
        SelectedView view = Of(context, shape.Batch, shape.Time, shape.Keys, shape.Heads, shape.Group, default);
        view.Span = blocks.Size;
        view.Tokens = shape.Time;
        view.HasDocuments = blocks.Documents.IsNone ? 0 : 1;
        view.Documents = context.View<int>(blocks.Documents);
        view.IsDecoding = blocks.Positions.IsNone ? 0 : 1;
        view.Positions = context.View<int>(blocks.Positions);
        view.Counts = context.View<int>(blocks.Counts);
        return view;
    }

    /// <summary>New tokens over lists of a cache.</summary>
    public static SelectedView Of(GpuContext context, in CachedAttentionShape shape, in CachedAttentionCall call)
    {
        SelectedView view = Of(context, shape.Batch, shape.Time, shape.Capacity, shape.Heads, shape.Heads / shape.KeyHeads, call.Visible.Blocks);
        view.Span = 1;
        view.IsDecoding = 1;
        view.Positions = context.View<int>(call.Positions);
        view.Counts = context.View<int>(call.Counts);
        return view;
    }

    /// <summary>Keys that the longest row may look at.</summary>
    public readonly int Most => Lists.HasLists != 0 ? IntrinsicMath.Min(Lists.Most, Lists.Blocks) * Lists.KeySize : Keys;

    /// <summary>Keys in order for a query: those before the result; none where it is not there.</summary>
    public readonly int End(int batch, int query)
    {
        int position = query + Shift;
        bool isThere = query < Time;
        if (IsDecoding != 0)
        {
            position += Positions[batch];
            isThere = isThere && query < Counts[batch];
        }

        return isThere ? IntrinsicMath.Clamp((position + 1) / Span, 0, Keys) : 0;
    }

    /// <summary>First query that may see a key, of a full pass.</summary>
    public readonly int FirstQuery(int key) => IntrinsicMath.Max(((key + 1) * Span) - 1 - Shift, 0);

    public readonly bool IsOneDocument(int batch, int query, int key)
    {
        bool isOne = HasDocuments == 0;
        if (!isOne)
        {
            long row = (long)batch * Tokens;
            isOne = Documents[row + IntrinsicMath.Min((key + 1) * Span, Tokens) - 1] == Documents[row + query + Shift];
        }

        return isOne;
    }

    /// <summary>The keys that a query looks at, in order.</summary>
    public readonly SelectedKeys Row(int pair, int query)
    {
        SelectedKeys keys = default;
        keys.Lists = Lists;
        keys.List = Lists.ListOf(pair, query);
        keys.End = End(pair / Heads, query);
        keys.Count = Lists.HasLists != 0 ? IntrinsicMath.Min(Lists.Length(keys.List) * Lists.KeySize, Most) : keys.End;
        return keys;
    }

    private static SelectedView Of(GpuContext context, int batch, int time, int keys, int heads, int groupHeads, in BlockTable table) => new()
    {
        Lists = BlockLists.Of(context, table, batch * heads, time, keys),
        Documents = context.View<int>(default),
        Positions = context.View<int>(default),
        Counts = context.View<int>(default),
        Time = time,
        Keys = keys,
        Heads = heads,
        GroupHeads = groupHeads,
    };
}

/// <summary>Keys of one row: those of its blocks one after the other.</summary>
internal struct SelectedKeys : IKeyOrder
{
    public BlockLists Lists;
    public long List;

    /// <summary>Keys from here on are not seen.</summary>
    public int End;

    /// <summary>How many there are to look at.</summary>
    public int Count;

    /// <summary>A key that is there, whatever stands in the list: 0 in place of one that is not.</summary>
    public readonly int At(int index)
    {
        int key = index;
        if (Lists.HasLists != 0)
        {
            key = (Lists.At(List, index / Lists.KeySize) * Lists.KeySize) + (index % Lists.KeySize);
        }

        return key >= 0 && key < End ? key : 0;
    }

    public readonly bool Sees(int index)
    {
        bool sees = index < End;
        if (Lists.HasLists != 0)
        {
            int block = Lists.At(List, index / Lists.KeySize);
            sees = block >= 0 && block < Lists.Blocks && (block * Lists.KeySize) + (index % Lists.KeySize) < End;
        }

        return sees;
    }
}
