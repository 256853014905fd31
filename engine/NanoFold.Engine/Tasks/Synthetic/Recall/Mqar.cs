using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Multi-query associative recall (zoology, arXiv 2312.04927): a row begins with pairs of a key and its value, all different. Then come slots of two places; in some of them one of
/// the keys stands again, early slots more often than late ones, and is asked for its value: <c>accuracy</c> is the share that is found. Published are rows 16 times as long as there
/// are pairs: (64, 4), (128, 8), (256, 16).
/// </summary>
public sealed record MqarConfig : LabelledTaskConfig
{
    public static MqarConfig Tiny => new() { Symbols = 12, Pairs = 2, Updates = 1, ValidationRows = 6 };

    /// <summary>V: keys are tokens from 1, values those from V / 2.</summary>
    [Bounds(4, 1 << 20)]
    public int Symbols { get; init; } = 8192;

    /// <summary>Pairs in a row, each asked for once. A row is 16 places a pair where model.context says nothing else, and has at least 4.</summary>
    [Bounds(1, 4096)]
    public int Pairs { get; init; } = 4;

    /// <summary>Keys that get another value after all pairs, which then is the one asked for.</summary>
    [Bounds(0, 4096)]
    public int Updates { get; init; }

    /// <summary>a: a slot i = 1, 2 … is drawn with a weight of i^(a − 1). 1 for all alike.</summary>
    [Bounds(0, 2)]
    public double Power { get; init; } = 0.01;

    /// <summary>Whether places that hold nothing get any token of the vocabulary, rather than 0.</summary>
    public bool Distractors { get; init; } = true;

    /// <summary>Whether a key is of two tokens, of which only both together say the value; pairs then is a square, and symbols are divided into three.</summary>
    public bool Composed { get; init; }

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => Composed ? 2 * ComposedMqar.Triple * Pairs : (4 * Pairs) + (2 * Updates);

    /// <inheritdoc/>
    public override int? UsualContext => Math.Max(16 * Pairs, LeastContext);

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(ModelConfig model, string path)
    {
        int keys = Composed ? (Symbols / ComposedMqar.Triple) - 1 : Mqar.Keys(Symbols), side = (int)Math.Sqrt(Pairs);
        if (Composed ? side > keys || Pairs > Symbols - (2 * (keys + 1)) : Pairs > keys)
        {
            yield return new ConfigProblem($"{path}.pairs", $"{Pairs} is more than the keys and values that {path}.symbols = {Symbols} has");
        }

        if (Composed && side * side != Pairs)
        {
            yield return new ConfigProblem($"{path}.pairs", $"{Pairs} is not a square, as {path}.composed needs");
        }

        if (Composed && Updates > 0)
        {
            yield return new ConfigProblem($"{path}.updates", $"{path}.composed has none; use 0");
        }

        if (!Composed && Updates > Pairs)
        {
            yield return new ConfigProblem($"{path}.updates", $"{Updates} is more than {path}.pairs = {Pairs}");
        }

        foreach (ConfigProblem problem in base.Validate(model, path))
        {
            yield return problem;
        }
    }

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => Composed ? new ComposedMqar(this, context) : new Mqar(this, context);

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => $"that {path}.pairs = {Pairs} takes{(Updates > 0 ? $" with {path}.updates = {Updates}" : "")}";

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class Mqar(MqarConfig config, TaskContext context) : LabelledTask(config, context)
{
    private readonly SlotWeights _slots = new(config.Power, context.Model.Context / 2);
    private readonly int _values = config.Symbols / 2;

    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(config.Symbols - _values);

    public override string? GroupedBy => "distance";

    /// <summary>How many tokens may be keys: those from 1 to V / 2.</summary>
    public static int Keys(int symbols) => (symbols / 2) - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(config.Symbols - _values);

    public override IEnumerable<Baseline> Baselines() => [new("one of the row's values", OneOf(config.Pairs + config.Updates))];

    public override IEnumerable<string> Describe() =>
        [$"recall: {config.Pairs} pairs a row, of {Keys(config.Symbols)} keys and {config.Symbols - _values} values{(config.Updates > 0 ? $", {config.Updates} changed later" : "")}"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), groups = row.Integers(BatchField.Groups);
        int pairs = config.Pairs, updates = config.Updates, start = 2 * (pairs + updates);
        // Where each key got the value that is asked for.
        Span<int> latest = stackalloc int[pairs];
        draws.Distinct(tokens, pairs, from: 1, Keys(config.Symbols), step: 2);
        draws.Distinct(tokens[1..], pairs, _values, config.Symbols - _values, step: 2);
        for (int i = 0; i < pairs; i++)
        {
            latest[i] = (2 * i) + 1;
        }

        Span<int> updated = tokens.Slice(2 * pairs, 2 * updates);
        draws.Distinct(updated, updates, from: 0, pairs, step: 2);
        for (int at = 0; at < updated.Length; at += 2)
        {
            latest[updated[at]] = (2 * pairs) + at + 1;
            updated[at] = tokens[2 * updated[at]];
            updated[at + 1] = _values + draws.Below(config.Symbols - _values);
        }

        Span<int> asked = targets[start..];
        for (int i = 0; i < pairs; i++)
        {
            int at = 2 * _slots.Draw(ref draws, asked, places: 2);
            (tokens[start + at], asked[at]) = (tokens[2 * i], tokens[latest[i]]);
            if (!groups.IsEmpty)
            {
                groups[start + at] = start + at - (latest[i] - 1);
            }
        }

        for (int at = start; config.Distractors && at < tokens.Length; at++)
        {
            if (targets[at] < 0)
            {
                tokens[at] = draws.Below(config.Symbols);
            }
        }

        return pairs;
    }
}
