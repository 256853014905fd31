using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Which keys a query sees, see <see cref="Visible"/>, as kernels ask for it.</summary>
internal struct VisibleView
{
    public VisibleRule Rule;
    public int Time, Keys, Heads, HasPrefixes, HasDocuments;

    /// <summary>[B] and [B, S].</summary>
    public ArrayView<int> Prefixes, Documents;

    public BlockLists Blocks;

    /// <summary>Where documents were looked at beforehand.</summary>
    public DocumentReach Reach;

    /// <summary>Queries and keys from here on are not of what is computed just now.</summary>
    public int QueryLimit, KeyLimit;

    /// <summary>Position of query 0.</summary>
    public readonly int Shift => Keys - Time;

    /// <param name="context">Of the device.</param>
    /// <param name="visible">Checked.</param>
    /// <param name="batch">B.</param>
    /// <param name="heads">H.</param>
    /// <param name="queries">T.</param>
    /// <param name="keys">S.</param>
    public static VisibleView Of(GpuContext context, in Visible visible, int batch, int heads, int queries, int keys) => new()
    {
        Rule = visible.Rule(keys),
        Time = queries,
        Keys = keys,
        Heads = heads,
        HasPrefixes = visible.Prefixes.IsNone ? 0 : 1,
        HasDocuments = visible.Documents.IsNone ? 0 : 1,
        Prefixes = context.View<int>(visible.Prefixes),
        Documents = context.View<int>(visible.Documents),
        Blocks = BlockLists.Of(context, visible.Blocks, batch * heads, queries, keys),
        Reach = new DocumentReach { Memory = context.View<int>(default) },
        QueryLimit = queries,
        KeyLimit = keys,
    };

    /// <summary>As above; with what documents reach, where there are any and there is room for it (see <see cref="DocumentReach.Length"/>).</summary>
    public static VisibleView Of(GpuContext context, in AttentionShape shape, in Visible visible, ArrayView<int> memory)
    {
        VisibleView view = Of(context, visible, shape.Batch, shape.Heads, shape.Time, shape.Keys);
        if (shape.HasDocuments && memory.Length > 0)
        {
            view.Reach = DocumentReach.Find(context, view.Documents, shape.Batch, shape.Keys, memory);
        }

        return view;
    }

    /// <summary>The view of a batch row: with its own prefix.</summary>
    public readonly VisibleView InRow(int batch)
    {
        VisibleView own = this;
        if (HasPrefixes != 0)
        {
            own.Rule = Rule.WithPrefix(Prefixes[batch]);
        }

        return own;
    }

    /// <summary>Whether a query sees a key of a block that is listed for it; false for those that are not there.</summary>
    public readonly bool Sees(int batch, int query, int key)
    {
        bool sees = query < QueryLimit && key < KeyLimit && Rule.Sees(query + Shift, key);
        if (sees && HasDocuments != 0)
        {
            long row = (long)batch * Keys;
            sees = Documents[row + query + Shift] == Documents[row + key];
        }

        return sees;
    }
}

/// <summary>A <see cref="BlockTable"/> as kernels read it. Without one all queries and all keys are one block.</summary>
internal struct BlockLists
{
    public int HasLists, QuerySize, KeySize, Most, Rows, Blocks, Share;

    public ArrayView<int> Lists, Counts;

    public static BlockLists Of(GpuContext context, in BlockTable table, int pairs, int queries, int keys)
    {
        bool isNone = table.IsNone;
        int querySize = isNone ? Math.Max(1, queries) : table.QuerySize, keySize = isNone ? Math.Max(1, keys) : table.KeySize;
        return new()
        {
            HasLists = isNone ? 0 : 1,
            QuerySize = querySize,
            KeySize = keySize,
            Most = isNone ? 1 : table.Most,
            Rows = Count(queries, querySize),
            Blocks = Count(keys, keySize),
            Share = table.Share(pairs, queries),
            Lists = context.View<int>(table.Lists),
            Counts = context.View<int>(table.Counts),
        };
    }

    /// <summary>Groups of <paramref name="rows"/> queries, cut where lists end; the same of keys.</summary>
    public readonly int QueryGroups(int rows) => Rows * Count(QuerySize, rows);

    public readonly int KeyGroups(int rows) => Blocks * Count(KeySize, rows);

    /// <summary>First query of a group; may be after the last one of its block.</summary>
    public readonly int FirstQuery(int group, int rows) => First(group, rows, QuerySize);

    public readonly int FirstKey(int group, int rows) => First(group, rows, KeySize);

    /// <summary>The list of a query of a head, numbered over all batch rows.</summary>
    public readonly long ListOf(int pair, int query) => ListAt(pair, query / QuerySize);

    /// <summary>The list of a block of queries of a head.</summary>
    public readonly long ListAt(int pair, int row) => (long)(pair / Share) * Rows + row;

    /// <summary>Blocks in a list; one where there are no lists.</summary>
    public readonly int Length(long list) => HasLists == 0 ? 1 : IntrinsicMath.Min(Counts[list], Most);

    public readonly int At(long list, int entry) => HasLists == 0 ? 0 : Lists[list * Most + entry];

    public readonly bool Has(long list, int block)
    {
        bool has = HasLists == 0;
        int length = has ? 0 : Length(list);
        for (int i = 0; i < length; i++)
        {
            if (Lists[list * Most + i] == block)
            {
                has = true;
            }
        }

        return has;
    }

    private static int First(int group, int rows, int size)
    {
        int groups = Count(size, rows);
        return group / groups * size + group % groups * rows;
    }

    private static int Count(int count, int size) => (count + size - 1) / size;
}

/// <summary>What one query of one head sees.</summary>
internal struct VisibleRow
{
    private VisibleRule _rule;
    private BlockLists _blocks;
    private ArrayView<int> _documents;
    private int _position, _hasDocuments;
    private long _documentRow, _list;

    /// <summary>Keys in [0, SinkEnd) and [Start, End) may be seen; none else.</summary>
    public int SinkEnd, Start, End;

    public static VisibleRow Of(in VisibleView view, int pair, int query)
    {
        int batch = pair / view.Heads, t = query + view.Shift;
        VisibleView own = view.InRow(batch);
        VisibleRow row = default;
        row._rule = own.Rule;
        row._blocks = own.Blocks;
        row._documents = own.Documents;
        row._position = t;
        row._hasDocuments = own.HasDocuments;
        row._documentRow = (long)batch * own.Keys;
        row._list = own.Blocks.ListOf(pair, query);
        row.SinkEnd = IntrinsicMath.Clamp(own.Rule.SinkEnd(t), 0, own.Keys);
        row.Start = IntrinsicMath.Max(own.Rule.Start(t), row.SinkEnd);
        row.End = IntrinsicMath.Clamp(own.Rule.End(t), 0, own.Keys);
        if (own.Reach.IsKnown != 0)
        {
            int low = own.Reach.Low(batch, t), high = own.Reach.High(batch, t);
            row.SinkEnd = row.SinkEnd > low ? row.SinkEnd : 0;
            row.Start = IntrinsicMath.Max(row.Start, low);
            row.End = IntrinsicMath.Min(row.End, high);
        }

        return row;
    }

    /// <summary>How many keys may be seen.</summary>
    public readonly int Count => SinkEnd + IntrinsicMath.Max(End - Start, 0);

    /// <summary>The one with <paramref name="index"/> such keys before it.</summary>
    public readonly int KeyAt(int index) => index < SinkEnd ? index : index - SinkEnd + Start;

    public readonly bool Sees(int key)
    {
        bool sees = _rule.Sees(_position, key);
        if (sees && _hasDocuments != 0)
        {
            sees = _documents[_documentRow + key] == _documents[_documentRow + _position];
        }

        if (sees && _blocks.HasLists != 0)
        {
            sees = _blocks.Has(_list, key / _blocks.KeySize);
        }

        return sees;
    }
}
