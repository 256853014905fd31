using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>Which tokens of the probe's windows are looked at.</summary>
public enum SampleKind
{
    /// <summary>N tokens spread over windows and positions.</summary>
    Points,

    /// <summary>R tokens spread likewise, whose rows of attention patterns are looked at.</summary>
    Queries,

    /// <summary>S stretches of L successive tokens.</summary>
    Runs,

    /// <summary>Some windows from their first token on: whole ones, or as far as that is not too much.</summary>
    Windows,

    /// <summary>No choice: a value that is not of tokens.</summary>
    Whole,
}

/// <summary>
/// Tokens of the probe, in the order in which samples hold them. Strided over windows and positions, one at random of each stride, so that no
/// position is preferred; drawn once from a seed, so that every measurement looks at the same ones.
/// </summary>
public sealed class SampledRows
{
    private readonly int[] _rows;

    private SampledRows(int[] rows, int time, int first)
    {
        _rows = rows;
        Count = rows.Length;
        First = first;
        Positions = Array.ConvertAll(rows, row => row % time);
        Tokens = new int[rows.Length];
        Documents = new int[rows.Length];
        Contexts = new int[rows.Length];
    }

    /// <summary>How many.</summary>
    public int Count { get; private init; }

    /// <summary>How many at the beginning are at position 0, where massive activations are; all others are not. 0 where windows have one token.</summary>
    public int First { get; }

    /// <summary>L where they are stretches or windows of successive tokens, otherwise 1.</summary>
    public int RunLength { get; private init; } = 1;

    /// <summary>Bytes of the host, with what drawing takes for a moment.</summary>
    internal long Bytes => 9L * sizeof(int) * Count;

    /// <summary>b · T + t each.</summary>
    public ReadOnlySpan<int> Rows => _rows;

    /// <summary>t each.</summary>
    public int[] Positions { get; }

    /// <summary>The token ids.</summary>
    public int[] Tokens { get; }

    /// <summary>The documents that they are of.</summary>
    public int[] Documents { get; }

    /// <summary>How many tokens of the same document come before each in its window.</summary>
    public int[] Contexts { get; }

    /// <summary>Their classes; there are always those by token, by next token and by position.</summary>
    public IReadOnlyList<LabelColumn> Labels { get; private set; } = [];

    /// <summary>The column of that name, or null.</summary>
    public LabelColumn? Label(string name) => Labels.FirstOrDefault(column => column.Name == name);

    /// <summary>
    /// N tokens: those at position 0 first; of the others every beginning is itself spread over windows and positions, so that fewer can be taken.
    /// </summary>
    public static SampledRows Points(ProbeShape shape, ulong seed)
    {
        int[] drawn = Strided(shape.Tokens, shape.Points, seed);
        int[] first = shape.Time > 1 ? [.. drawn.Where(row => row % shape.Time == 0)] : [];
        int[] later = shape.Time > 1 ? [.. drawn.Where(row => row % shape.Time > 0)] : drawn;
        return new SampledRows([.. first, .. Spread(later)], shape.Time, first.Length);
    }

    /// <summary>R tokens, in the order of windows and positions.</summary>
    public static SampledRows Queries(ProbeShape shape, ulong seed) =>
        new(Strided(shape.Tokens, shape.Queries, GaussianSource.Mix(seed, (ulong)SampleKind.Queries)), shape.Time, 0);

    /// <summary>S stretches of L tokens, one after another. Position 0 is in none where windows are longer than L.</summary>
    public static SampledRows Runs(ProbeShape shape, ulong seed)
    {
        var random = new GaussianSource(GaussianSource.Mix(seed, (ulong)SampleKind.Runs));
        int least = shape.Time > shape.RunLength ? 1 : 0, starts = shape.Time - shape.RunLength + 1 - least;
        var rows = new List<int>(shape.Runs * shape.RunLength);
        for (int run = 0; run < shape.Runs; run++)
        {
            int window = (int)((long)run * shape.Batch / shape.Runs), start = (window * shape.Time) + least + random.NextInt(starts);
            rows.AddRange(Enumerable.Range(start, shape.RunLength));
        }

        return new SampledRows([.. rows], shape.Time, 0) { RunLength = shape.RunLength };
    }

    /// <summary>All tokens at the beginning of some windows, which are spread over the batch, one window after another.</summary>
    public static SampledRows Windows(ProbeShape shape) => new(
        [.. Enumerable.Range(0, shape.Windows).SelectMany(i => Enumerable.Range((int)((long)i * shape.Batch / shape.Windows) * shape.Time, shape.WindowLength))], shape.Time, 0)
    { RunLength = shape.WindowLength };

    /// <summary>So many that were not drawn, for a plan of what they are going to take.</summary>
    internal static SampledRows Planned(int count) => new([], 1, 0) { Count = count };

    /// <summary>The tokens after those at position 0, at most so many of them.</summary>
    public SampledRows Later(int count, int time)
    {
        if (_rows.Length < Count)
        {
            return Planned(Math.Min(Count, count));
        }

        var later = new SampledRows(_rows[First..Math.Min(Count, First + count)], time, 0);
        Tokens.AsSpan(First, later.Count).CopyTo(later.Tokens);
        Documents.AsSpan(First, later.Count).CopyTo(later.Documents);
        Contexts.AsSpan(First, later.Count).CopyTo(later.Contexts);
        later.Labels = [.. Labels.Select(column => column with { Values = column.Values[First..(First + later.Count)] })];
        return later;
    }

    /// <summary>Takes over what the tokens [B, T] are.</summary>
    /// <param name="tokens">[B, T].</param>
    /// <param name="documents">[B, T].</param>
    /// <param name="labels">Of [B, T] each.</param>
    public void Read(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents, IReadOnlyList<LabelColumn>? labels = null)
    {
        Labels = [.. (labels ?? []).Select(column => column.At(_rows))];
        for (int i = 0; i < _rows.Length; i++)
        {
            Tokens[i] = tokens[_rows[i]];
            Documents[i] = documents[_rows[i]];
            int before = 0;
            while (before < Positions[i] && documents[_rows[i] - before - 1] == Documents[i])
            {
                before++;
            }

            Contexts[i] = before;
        }
    }

    // One of each of count equal stretches of 0 … all − 1, ascending.
    private static int[] Strided(int all, int count, ulong seed)
    {
        var random = new GaussianSource(seed);
        var rows = new int[count];
        for (int i = 0; i < count; i++)
        {
            long from = (long)i * all / count, to = (long)(i + 1) * all / count;
            rows[i] = (int)(from + random.NextInt((int)(to - from)));
        }

        return rows;
    }

    // Steps of about the golden section, which visit every row once.
    private static int[] Spread(int[] rows)
    {
        int step = Math.Max(1, (int)(rows.Length * 0.618));
        while (Divisor(step, rows.Length) > 1)
        {
            step++;
        }

        return [.. Enumerable.Range(0, rows.Length).Select(i => rows[(int)((long)i * step % rows.Length)])];
    }

    private static int Divisor(int a, int b)
    {
        while (b > 0)
        {
            (a, b) = (b, a % b);
        }

        return a;
    }
}
