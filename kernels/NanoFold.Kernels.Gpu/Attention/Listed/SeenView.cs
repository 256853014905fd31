using ILGPU;
using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Gpu.Attention.Listed;

/// <summary>Which keys the queries of a full pass see, or new tokens of those in a cache.</summary>
internal struct SeenView
{
    public VisibleRule Rule;
    public int Time, Keys, HasPrefixes, HasDocuments, HasPositions;

    /// <summary>[B]; documents [B, S].</summary>
    public ArrayView<int> Prefixes, Documents, Positions, Counts;

    public static SeenView Of(GpuContext context, in Visible visible, int queries, int keys, in View positions, in View counts) => new()
    {
        Rule = visible.Rule(positions.IsNone ? keys : int.MaxValue),
        Time = queries,
        Keys = keys,
        HasPrefixes = visible.Prefixes.IsNone ? 0 : 1,
        HasDocuments = visible.Documents.IsNone ? 0 : 1,
        HasPositions = positions.IsNone ? 0 : 1,
        Prefixes = context.View<int>(visible.Prefixes),
        Documents = context.View<int>(visible.Documents),
        Positions = context.View<int>(positions),
        Counts = context.View<int>(counts),
    };

    /// <summary>Queries of a row that count; none where what the device's memory says cannot be.</summary>
    public readonly int Queries(int batch)
    {
        int count = Time;
        if (HasPositions != 0)
        {
            count = Counts[batch];
            bool fits = Positions[batch] >= 0 && count >= 0 && count <= Time && Positions[batch] <= Keys - count;
            count = fits ? count : 0;
        }

        return count;
    }

    public readonly SeenRow Row(int batch, int query)
    {
        VisibleRule rule = Rule;
        if (HasPrefixes != 0)
        {
            rule = Rule.WithPrefix(Prefixes[batch]);
        }

        int position = query + Keys - Time, end = Keys;
        if (HasPositions != 0)
        {
            position = query + Positions[batch];
            end = Positions[batch] + Queries(batch);
        }

        SeenRow row = default;
        row.Rule = rule;
        row.Documents = Documents;
        row.HasDocuments = HasDocuments;
        row.DocumentRow = (long)batch * Keys;
        row.Position = position;
        row.KeyEnd = end;
        row.SinkEnd = IntrinsicMath.Clamp(rule.SinkEnd(position), 0, end);
        row.Start = IntrinsicMath.Max(IntrinsicMath.Max(rule.Start(position), 0), row.SinkEnd);
        row.End = IntrinsicMath.Clamp(rule.End(position), 0, end);
        return row;
    }
}

/// <summary>What one query sees.</summary>
internal struct SeenRow
{
    public VisibleRule Rule;
    public ArrayView<int> Documents;
    public long DocumentRow;
    public int HasDocuments, Position;

    /// <summary>Keys from here on are not there.</summary>
    public int KeyEnd;

    /// <summary>Keys in [0, SinkEnd) and [Start, End) may be seen; none else.</summary>
    public int SinkEnd, Start, End;

    /// <summary>How many keys may be seen.</summary>
    public readonly int Count => SinkEnd + IntrinsicMath.Max(End - Start, 0);

    /// <summary>The one with <paramref name="index"/> such keys before it.</summary>
    public readonly int KeyAt(int index) => index < SinkEnd ? index : index - SinkEnd + Start;

    public readonly bool Sees(int key)
    {
        bool sees = key < KeyEnd && Rule.Sees(Position, key);
        if (sees && HasDocuments != 0)
        {
            sees = Documents[DocumentRow + key] == Documents[DocumentRow + Position];
        }

        return sees;
    }
}
