using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Which keys a query sees, see <see cref="AttentionMask"/>, as kernels ask for it.</summary>
internal struct MaskView
{
    public int Time, Keys, Shift, Causal, Window, Sinks, HasDocuments;
    public ArrayView<int> Documents;
    public long DocumentBatch, DocumentTime;

    public static MaskView Of(GpuContext context, in AttentionShape shape, in AttentionMask mask)
    {
        MaskView result = new()
        {
            Time = shape.Time,
            Keys = shape.Keys,
            Shift = shape.Shift,
            Causal = shape.Causal ? 1 : 0,
            Window = shape.Window,
            Sinks = shape.Sinks,
            HasDocuments = shape.HasDocuments ? 1 : 0,
            Documents = context.View<int>(shape.HasDocuments ? mask.Documents : default),
        };
        if (shape.HasDocuments)
        {
            result.DocumentBatch = mask.Documents.Layout.Stride(0);
            result.DocumentTime = mask.Documents.Layout.Stride(1);
        }

        return result;
    }

    public readonly int Document(int batch, int time) => Documents[batch * DocumentBatch + time * DocumentTime];

    /// <summary>Whether a query sees a key; false for those that are not there.</summary>
    public readonly bool IsVisible(int batch, int query, int key)
    {
        int position = query + Shift;
        bool visible = query < Time && key < Keys;
        if (visible && Causal != 0)
        {
            visible = key <= position && (Window == 0 || key > position - Window || key < Sinks);
            if (visible && HasDocuments != 0)
            {
                visible = Document(batch, query) == Document(batch, key);
            }
        }

        return visible;
    }

    /// <summary>One behind the last key that queries up to <paramref name="query"/> see.</summary>
    public readonly int KeyEnd(int query) => Causal != 0 ? IntrinsicMath.Min(query + Shift + 1, Keys) : Keys;

    /// <summary>First key behind the sinks that queries from <paramref name="query"/> on see.</summary>
    public readonly int KeyStart(int query) => Window != 0 ? IntrinsicMath.Max(query + Shift - Window + 1, 0) : 0;

    /// <summary>First query that sees one of the keys from <paramref name="key"/> on.</summary>
    public readonly int QueryStart(int key) => Causal != 0 ? IntrinsicMath.Max(key - Shift, 0) : 0;

    /// <summary>One behind the last query that sees one of the keys from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public readonly int QueryEnd(int first, int last) =>
        Window != 0 && first >= Sinks ? IntrinsicMath.Min(last + Window - Shift, Time) : Time;

    /// <summary>False where the documents' ranges in two stretches of tokens do not meet.</summary>
    public readonly bool DocumentsMeet(int batch, int first, int count, int otherFirst, int otherCount)
    {
        if (HasDocuments == 0)
        {
            return true;
        }

        Range(batch, first, count, out int low, out int high);
        Range(batch, otherFirst, otherCount, out int otherLow, out int otherHigh);
        return low <= otherHigh && otherLow <= high;
    }

    private readonly void Range(int batch, int first, int count, out int low, out int high)
    {
        low = high = Document(batch, first);
        int end = IntrinsicMath.Min(first + count, Time);
        for (int i = first + 1; i < end; i++)
        {
            int document = Document(batch, i);
            low = IntrinsicMath.Min(low, document);
            high = IntrinsicMath.Max(high, document);
        }
    }
}
