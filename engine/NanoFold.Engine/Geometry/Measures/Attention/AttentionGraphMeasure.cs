using NanoFold.Engine.Geometry.Heads;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// Attention as a graph, of each head and as means over heads: keys that hold 90 % of a row's mass, the effective rank of whole patterns, the key besides the first
/// that gets most, and what entropy, keys and rank are when the first key is taken out.
/// </summary>
public sealed record AttentionGraphMeasure : MixerMeasure
{
    private const double Share = 0.9;

    // Tokens of the pattern that is kept.
    private const int MostShown = 64;

    private static readonly string[] s_names =
        ["keysFor90", "keysFor90WithoutFirst", "keysFor90WithoutSink", "entropyShareWithoutSink", "effectiveRank", "effectiveRankWithoutSink", "largestOtherKeyMass"];

    private static readonly string[] s_estimators =
    [
        "mean over queries", "mean over queries, position 0 out", "mean over queries, key 0 taken out", "÷ ln of the keys, mean over queries, key 0 taken out",
        "exp H(σ/Σσ), mean over windows", "exp H(σ/Σσ), mean over windows, key 0 taken out and the rest made to add up to 1", "mean over the queries of the second half of a window, largest of the keys of the first, key 0 out",
    ];

    /// <inheritdoc/>
    public override int Tier => 2;

    /// <inheritdoc/>
    public override string Legend => "keys 90, rank = keys that hold 90 % of a row's mass, and the effective rank of a pattern";

    /// <inheritdoc/>
    public override string Subject => "attention patterns";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns => [new("keysFor90", "keys 90", "0.0"), new("effectiveRank", "rank", "0.0")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Want> Points => [new("attn.hook_pattern", SampleKind.Queries), new("attn.hook_pattern", SampleKind.Windows)];

    /// <inheritdoc/>
    public override double Work(in ProbeShape shape, int width) => (20.0 * shape.Queries * shape.Time) + (2.0 * shape.Windows * shape.WindowLength * shape.WindowLength * shape.WindowLength);

    /// <inheritdoc/>
    public override void Take(MixerSample mixer, FigureWriter figures)
    {
        if (mixer.Pattern(SampleKind.Queries) is not { } queries || mixer.Pattern(SampleKind.Windows) is not { } windows)
        {
            return;
        }

        var sums = new Mean[s_names.Length];
        for (int head = 0; head < queries.Heads; head++)
        {
            var own = new Mean[s_names.Length];
            OfRows(queries, head, own);
            OfWindows(windows, head, own);
            Write(mixer.Head(figures, head), own);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i].Join(own[i]);
            }
        }

        Write(figures, sums);
        if (figures.WantsArrays)
        {
            WritePattern(windows, figures);
        }
    }

    // The first window, to be looked at.
    private static void WritePattern(PatternSample pattern, FigureWriter figures)
    {
        int length = Math.Min(MostShown, pattern.Rows.RunLength);
        var weights = new float[pattern.Heads * length * length];
        for (int head = 0; head < pattern.Heads; head++)
        {
            for (int query = 0; query < length; query++)
            {
                pattern.Weights(query, head)[..length].CopyTo(weights.AsSpan(((head * length) + query) * length));
            }
        }

        figures.Array("pattern", [pattern.Heads, length, length], weights);
        figures.Array("tokens", [length], pattern.Rows.Tokens.AsSpan(0, length));
    }

    private static void OfRows(PatternSample pattern, int head, Mean[] means)
    {
        var scratch = new float[pattern.Time];
        for (int row = 0; row < pattern.Rows.Count; row++)
        {
            ReadOnlySpan<float> weights = pattern.Weights(row, head)[..pattern.Keys(row)];
            int keys = AttentionGraph.KeysFor(weights, Share, scratch);
            if (keys == 0)
            {
                continue;
            }

            means[0].Add(keys);
            if (pattern.Rows.Positions[row] > 0)
            {
                means[1].Add(keys);
                int others = AttentionGraph.KeysFor(weights[1..], Share, scratch);
                means[2].Add(others > 0 ? others : null);
                means[3].Add(AttentionGraph.EntropyShare(weights[1..]));
            }
        }
    }

    // Patterns of whole windows, as far as they are read.
    private static void OfWindows(PatternSample pattern, int head, Mean[] means)
    {
        int length = pattern.Rows.RunLength;
        var whole = new float[length * length];
        var rest = new float[(length - 1) * (length - 1)];
        for (int window = 0; window < pattern.Rows.Count / length; window++)
        {
            for (int query = 0; query < length; query++)
            {
                pattern.Weights((window * length) + query, head)[..length].CopyTo(whole.AsSpan(query * length));
            }

            for (int query = 1; query < length; query++)
            {
                double left = 0;
                ReadOnlySpan<float> weights = whole.AsSpan((query * length) + 1, length - 1);
                foreach (float weight in weights)
                {
                    left += weight;
                }

                for (int key = 0; key < length - 1; key++)
                {
                    rest[((query - 1) * (length - 1)) + key] = left > 0 ? (float)(weights[key] / left) : 0;
                }
            }

            means[4].Add(AttentionGraph.EffectiveRank(whole, length));
            means[5].Add(length > 1 ? AttentionGraph.EffectiveRank(rest, length - 1) : null);
            means[6].Add(AttentionGraph.LargestMassOfAnotherKey(whole, length));
        }
    }

    private static void Write(FigureWriter figures, Mean[] means)
    {
        for (int i = 0; i < means.Length; i++)
        {
            figures.Add(s_names[i], means[i].Value, means[i].Status, s_estimators[i], means[i].Count);
        }
    }
}
