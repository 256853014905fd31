using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Which keys a query sees, see <see cref="Visible"/>, as kernels ask for it.</summary>
internal struct MaskView
{
    public int Time, Keys, HasDocuments;
    public VisibleRule Rule;

    /// <summary>[B, S].</summary>
    public ArrayView<int> Documents;

    /// <summary>Position of query 0.</summary>
    public readonly int Shift => Keys - Time;

    public static MaskView Of(GpuContext context, string op, in AttentionShape shape, in Visible visible)
    {
        if (shape.HasPrefixes || shape.HasBlocks)
        {
            Checks.Throw(op, "prefixes and block tables are of the CPU");
        }

        return new()
        {
            Time = shape.Time,
            Keys = shape.Keys,
            Rule = shape.Rule,
            HasDocuments = shape.HasDocuments ? 1 : 0,
            Documents = context.View<int>(visible.Documents),
        };
    }

    /// <summary>Document of the key at a position.</summary>
    public readonly int Document(int batch, int position) => Documents[(long)batch * Keys + position];

    /// <summary>Whether a query sees a key; false for those that are not there.</summary>
    public readonly bool IsVisible(int batch, int query, int key)
    {
        bool visible = query < Time && key < Keys && Rule.Sees(query + Shift, key);
        if (visible && HasDocuments != 0)
        {
            visible = Document(batch, query + Shift) == Document(batch, key);
        }

        return visible;
    }

    /// <summary>One after the last key that queries up to <paramref name="query"/> see.</summary>
    public readonly int KeyEnd(int query) => IntrinsicMath.Min(IntrinsicMath.Max(Rule.End(query + Shift), Rule.SinkEnd(query + Shift)), Keys);

    /// <summary>First key after the sinks that queries from <paramref name="query"/> on see.</summary>
    public readonly int KeyStart(int query) => IntrinsicMath.Max(Rule.Start(query + Shift), 0);

    /// <summary>First query that sees one of the keys from <paramref name="key"/> on.</summary>
    public readonly int QueryStart(int key) => IntrinsicMath.Max(Rule.QueryStart(key) - Shift, 0);

    /// <summary>One after the last query that sees one of the keys from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public readonly int QueryEnd(int first, int last)
        => IntrinsicMath.Min(first < Rule.Sinks ? Time : Rule.QueryEnd(last) - Shift, Time);

    /// <summary>False where the ranges of two stretches of documents do not meet.</summary>
    /// <param name="batch">Row.</param>
    /// <param name="query">First query.</param>
    /// <param name="queries">How many.</param>
    /// <param name="key">First key.</param>
    /// <param name="keys">How many.</param>
    public readonly bool DocumentsMeet(int batch, int query, int queries, int key, int keys)
    {
        if (HasDocuments == 0)
        {
            return true;
        }

        Range(batch, query + Shift, queries, out int low, out int high);
        Range(batch, key, keys, out int otherLow, out int otherHigh);
        return low <= otherHigh && otherLow <= high;
    }

    private readonly void Range(int batch, int first, int count, out int low, out int high)
    {
        low = high = Document(batch, first);
        int end = IntrinsicMath.Min(first + count, Keys);
        for (int i = first + 1; i < end; i++)
        {
            int document = Document(batch, i);
            low = IntrinsicMath.Min(low, document);
            high = IntrinsicMath.Max(high, document);
        }
    }
}
