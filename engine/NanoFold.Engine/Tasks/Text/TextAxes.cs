using NanoFold.Engine.Data;

namespace NanoFold.Engine.Tasks;

/// <summary>By what a detailed evaluation tells the tokens of a text apart: how frequent they are where the text trained on is known, and in which part of their document they stand.</summary>
/// <param name="counted">The text trained on, or null.</param>
internal sealed class TextAxes(TokenShard? counted)
{
    private const int Parts = 10;
    private const int TokensAtOnce = 1 << 16;

    private static readonly ScoreAxis s_frequency = new("frequency", "times its token stands in the text trained on", AxisScale.Decades);
    private static readonly ScoreAxis s_part = new("documentPart", "tenth of its document, of what is held back of it", AxisScale.Each);

    private int[]? _counts;

    /// <summary>Those that are known.</summary>
    public IReadOnlyList<ScoreAxis> All { get; } = counted is null ? [s_part] : [s_frequency, s_part];

    /// <summary>Fills the fields of a row that the batch has of these.</summary>
    /// <param name="shard">Of which the row is.</param>
    /// <param name="first">The place in it of the row's first target.</param>
    /// <param name="row">Its targets filled.</param>
    public void Fill(TokenShard shard, long first, in BatchRow row)
    {
        ReadOnlySpan<int> targets = row.Integers(BatchField.Targets);
        Span<int> frequencies = row.Integers(s_frequency.Field), parts = row.Integers(s_part.Field);
        if (!frequencies.IsEmpty && counted is not null)
        {
            _counts ??= Count(counted);
            for (int t = 0; t < targets.Length; t++)
            {
                frequencies[t] = targets[t] < 0 ? -1 : _counts[targets[t]];
            }
        }

        if (!parts.IsEmpty && first < shard.Tokens)
        {
            FillParts(shard, first, parts);
        }
    }

    /// <summary>How often each token stands in a text, up to 2³¹ − 1.</summary>
    public static int[] Count(TokenShard shard)
    {
        var counts = new int[shard.Vocab];
        var tokens = new int[TokensAtOnce];
        for (long start = 0; start < shard.Tokens; start += tokens.Length)
        {
            Span<int> piece = tokens.AsSpan(0, (int)Math.Min(tokens.Length, shard.Tokens - start));
            shard.Copy(start, piece);
            foreach (int token in piece)
            {
                counts[token] += counts[token] < int.MaxValue ? 1 : 0;
            }
        }

        return counts;
    }

    private static void FillParts(TokenShard shard, long first, Span<int> parts)
    {
        int document = shard.DocumentAt(first);
        long from = shard.DocumentStart(document), to = EndOf(shard, document);
        for (int t = 0; t < parts.Length && first + t < shard.Tokens; t++)
        {
            long place = first + t;
            if (place == to)
            {
                document++;
                (from, to) = (to, EndOf(shard, document));
            }

            parts[t] = (int)((place - from) * Parts / (to - from));
        }
    }

    private static long EndOf(TokenShard shard, int document) => document + 1 < shard.Documents ? shard.DocumentStart(document + 1) : shard.Tokens;
}
