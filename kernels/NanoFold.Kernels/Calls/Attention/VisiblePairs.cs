using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// How many pairs of a query and a key are visible: what FLOPs of attention are counted by. What is data counts where the host can read it,
/// and otherwise as if it hid nothing.
/// </summary>
public static class VisiblePairs
{
    /// <summary>Pairs of one sequence, in closed form. The last query stands at the last key.</summary>
    public static long Count(in VisibleRule rule, long queries, long keys)
    {
        // At or before the query: those within the window, and the sinks outside of it.
        long first = keys - queries, window = rule.Window, sinks = rule.Sinks;
        long pairs = Until(keys) - Until(first);

        // Ahead of it, before the prefix ends: the same; queries before the first key see all of these.
        long end = Math.Min(rule.Prefix, keys);
        long from = Math.Max(first, 0);
        return pairs + UpTo(end - 1 - from, window - 1) + UpTo(Math.Min(sinks, end) - window - from, VisibleRule.Far) + ((from - first) * end);

        long Until(long n) => UpTo(n, window) + UpTo(n - window, sinks);
    }

    /// <summary>Pairs of one sequence where each query keeps at most <paramref name="most"/> of those that it sees; an upper bound where a window is about as wide.</summary>
    public static long Count(in VisibleRule rule, long queries, long keys, int most)
    {
        long kept = rule.Prefix > 0 ? queries * most : Count(new VisibleRule(0, most, 0), queries, keys);
        return most == 0 ? 0 : Math.Min(kept, Count(rule, queries, keys));
    }

    /// <summary>Pairs of all heads of a batch where each query keeps at most <paramref name="most"/> of those that it sees; an upper bound where what it sees is data.</summary>
    public static long Count(in Visible visible, int batch, int heads, int queries, int keys, int most)
    {
        VisibleRule rule = visible.Rule(keys);
        long kept = Count(visible.Prefixes.IsNone ? rule : rule.WithPrefix(keys), queries, keys, most);
        return Math.Min((long)batch * heads * kept, Count(visible, batch, heads, queries, keys));
    }

    /// <summary>Pairs of all heads of a batch.</summary>
    public static long Count(in Visible visible, int batch, int heads, int queries, int keys)
    {
        VisibleRule rule = visible.Rule(keys);
        bool hasPrefixes = IsRead(visible.Prefixes), hasDocuments = IsRead(visible.Documents);
        long pairs = 0, listed = 0;
        for (int b = 0; b < batch; b++)
        {
            VisibleRule row = visible.Prefixes.IsNone ? rule : rule.WithPrefix(hasPrefixes ? Number(visible.Prefixes, b) : VisibleRule.Far);
            long seen = hasDocuments ? InDocuments(row, visible.Documents, b, queries, keys) : Count(row, queries, keys);
            pairs += heads * seen;
            if (!visible.Blocks.IsNone)
            {
                listed += InBlocks(row, visible.Blocks, b, batch, heads, queries, keys);
            }
        }

        return visible.Blocks.IsNone ? pairs : Math.Min(pairs, listed);
    }

    /// <summary>Σ min(i, most) for i = 1 … n.</summary>
    internal static long UpTo(long n, long most) => n <= 0 || most <= 0 ? 0 : n <= most
        ? n * (n + 1) / 2
        : (most * (most + 1) / 2) + ((n - most) * most);

    // Of packed documents, whose numbers never fall, each is a sequence of its own; others count as one.
    private static long InDocuments(in VisibleRule rule, in View documents, int batch, int queries, int keys)
    {
        long pairs = 0;
        int at = batch * keys, first = keys - queries;
        for (int start = 0; start < keys;)
        {
            int document = Number(documents, at + start), end = start + 1;
            while (end < keys && Number(documents, at + end) == document)
            {
                end++;
            }

            if (end < keys && Number(documents, at + end) < document)
            {
                return Count(rule, queries, keys);
            }

            var own = new VisibleRule(rule.Prefix == VisibleRule.Far ? rule.Prefix : rule.Prefix - start, rule.Window == VisibleRule.Far ? 0 : rule.Window, Math.Max(0, rule.Sinks - start));
            pairs += Count(own, Math.Max(0, end - Math.Max(start, first)), end - start);
            start = end;
        }

        return pairs;
    }

    private static long InBlocks(in VisibleRule rule, in BlockTable blocks, int batch, int batches, int heads, int queries, int keys)
    {
        int rows = (queries + blocks.QuerySize - 1) / blocks.QuerySize, shift = keys - queries;
        if (!IsRead(blocks.Lists) || !IsRead(blocks.Counts))
        {
            return (long)heads * queries * Math.Min(keys, (long)blocks.Most * blocks.KeySize);
        }

        long pairs = 0;
        int share = blocks.Share(batches * heads, queries);
        for (int i = batch * heads * rows; i < (batch + 1) * heads * rows; i++)
        {
            int row = (i / rows / share * rows) + (i % rows), first = row % rows * blocks.QuerySize, end = Math.Min(first + blocks.QuerySize, queries);
            for (int entry = 0; entry < Math.Min(Number(blocks.Counts, row), blocks.Most); entry++)
            {
                int key = Number(blocks.Lists, ((long)row * blocks.Most) + entry) * blocks.KeySize, keyEnd = Math.Min(key + blocks.KeySize, keys);
                for (int t = first + shift; t < end + shift; t++)
                {
                    int sinks = rule.SinkEnd(t);
                    pairs += Math.Max(0, Math.Min(sinks, keyEnd) - key)
                        + Math.Max(0, Math.Min(rule.End(t), keyEnd) - Math.Max(Math.Max(rule.Start(t), sinks), key));
                }
            }
        }

        return pairs;
    }

    private static bool IsRead(in View view) => view.Buffer is NativeBuffer;

    private static unsafe int Number(in View view, long index) => view.Ints[index];
}
