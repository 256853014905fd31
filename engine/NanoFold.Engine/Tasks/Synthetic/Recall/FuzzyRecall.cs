using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Recall in context where keys and values are motifs of several tokens (mad-lab, arXiv 2403.17844). Trained on is every next token, of keys of all lengths; validated are the values
/// of keys that have stood before, with keys of full length, which do not leave open whether they go on.
/// </summary>
public sealed record FuzzyRecallConfig : LabelledTaskConfig
{
    public static FuzzyRecallConfig Tiny => new() { Symbols = 7, KeyMotif = 2, ValueMotif = 2, ValidationRows = 6 };

    /// <summary>V: the lower half are tokens of keys, the upper half those of values, the last fills what a row has before the first pair.</summary>
    [Bounds(5, 4096)]
    public int Symbols { get; init; } = 16;

    /// <summary>Tokens of a key at most, all different.</summary>
    [Bounds(1, 64)]
    public int KeyMotif { get; init; } = 3;

    /// <summary>Tokens of a value at most, all different.</summary>
    [Bounds(1, 64)]
    public int ValueMotif { get; init; } = 3;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => (2 * (KeyMotif + ValueMotif)) + 1;

    /// <inheritdoc/>
    public override int? UsualContext => Math.Max(128, LeastContext);

    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(Model.ModelConfig model, string path)
    {
        foreach ((string name, int motif, int symbols) in new[] { ("keyMotif", KeyMotif, (Symbols - 1) / 2), ("valueMotif", ValueMotif, Symbols / 2) })
        {
            if (motif > symbols)
            {
                yield return new ConfigProblem($"{path}.{name}", $"{motif} different tokens are more than the {symbols} that {path}.symbols = {Symbols} has for it");
            }
        }

        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }
    }

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new FuzzyRecall(this, context);

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => $"that {path}.keyMotif = {KeyMotif} and {path}.valueMotif = {ValueMotif} take";

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class FuzzyRecall(FuzzyRecallConfig config, TaskContext context) : LabelledTask(config, context)
{
    private readonly int _keys = (config.Symbols - 1) / 2;

    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(Vocab);

    public override string? GroupedBy => "distance";

    private int Values => config.Symbols - 1 - _keys;

    private int Filler => config.Symbols - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(Values);

    public override string Symbol(int token) => token == Filler ? "_" : base.Symbol(token);

    public override IEnumerable<string> Describe() =>
    [
        $"recall in context: keys of up to {config.KeyMotif} of {_keys} tokens, values of up to {config.ValueMotif} of {Values}",
        "trained on every next token, validated on values of keys seen before",
    ];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), groups = row.Integers(BatchField.Groups);
        bool all = key.Split == TaskSplit.Training;
        int time = tokens.Length, used = 0, last = 0, pairs = 0;
        // The pairs from the row's first place on; labels stand at the tokens that are asked for until all is moved.
        for (; used < time - config.KeyMotif - config.ValueMotif; pairs++)
        {
            last = used;
            int size = all ? 1 + draws.Below(config.KeyMotif) : config.KeyMotif;
            draws.Distinct(tokens[used..], size, from: 0, _keys);
            used += Value(tokens, used, size, ref draws, targets, groups);
        }

        // The last key is one that has stood before.
        int again = 0;
        for (int skip = draws.Below(pairs - 1); skip > 0; skip--)
        {
            again = End(tokens, again);
        }

        int length = EndOfKey(tokens, again) - again;
        targets[last..].Fill(-1);
        groups[Math.Min(last, groups.Length)..].Fill(-1);
        tokens.Slice(again, length).CopyTo(tokens[last..]);
        used = last + Value(tokens, last, length, ref draws, targets, groups);

        return Move(tokens, targets, groups, used, all);
    }

    // Writes the value of the key that stands at a place: that of the same key before, which then is asked for, or a new one. Returns the length of the pair.
    private int Value(Span<int> tokens, int at, int size, ref RowDraws draws, Span<int> targets, Span<int> groups)
    {
        ReadOnlySpan<int> key = tokens.Slice(at, size);
        for (int before = 0, end; before < at; before = end)
        {
            end = End(tokens, before);
            int value = EndOfKey(tokens, before);
            if (key.SequenceEqual(tokens[before..value]))
            {
                int length = end - value;
                tokens[value..end].CopyTo(tokens[(at + size)..]);
                tokens[value..end].CopyTo(targets[(at + size)..]);
                if (!groups.IsEmpty)
                {
                    groups.Slice(at + size, length).Fill(at - before);
                }

                return size + length;
            }
        }

        int drawn = 1 + draws.Below(config.ValueMotif);
        draws.Distinct(tokens[(at + size)..], drawn, _keys, Values);
        return size + drawn;
    }

    private int EndOfKey(ReadOnlySpan<int> tokens, int at)
    {
        while (tokens[at] < _keys)
        {
            at++;
        }

        return at;
    }

    private int End(ReadOnlySpan<int> tokens, int at)
    {
        at = EndOfKey(tokens, at);
        while (tokens[at] >= _keys)
        {
            at++;
        }

        return at;
    }

    // Moves so many tokens to the row's end, the last of them beyond it, and labels to the places before theirs.
    private int Move(Span<int> tokens, Span<int> targets, Span<int> groups, int used, bool all)
    {
        int time = tokens.Length, by = time + 1 - used, final = tokens[used - 1], asked = 0;
        tokens[..(used - 1)].CopyTo(tokens[by..]);
        tokens[..by].Fill(Filler);
        targets[..used].CopyTo(targets[(by - 1)..]);
        targets[..(by - 1)].Fill(-1);
        if (!groups.IsEmpty)
        {
            groups[..used].CopyTo(groups[(by - 1)..]);
            groups[..(by - 1)].Fill(-1);
        }

        for (int t = 0; t < time; t++)
        {
            targets[t] = all ? (t + 1 < time ? tokens[t + 1] : final) : targets[t];
            asked += targets[t] >= 0 ? 1 : 0;
        }

        return asked;
    }
}
