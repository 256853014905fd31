using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Memorization (mad-lab, arXiv 2403.17844): keys, each followed by a sign at which its value is asked for. What value a key has is the same in all rows and stands in none, so it
/// has to be learned by heart.
/// </summary>
public sealed record MemorizeConfig : LabelledTaskConfig
{
    public static MemorizeConfig Tiny => new() { Symbols = 8, ValidationRows = 6 };

    /// <summary>V: the lower half are keys, the upper half values, the last is the sign.</summary>
    [Bounds(5, 1 << 20)]
    public int Symbols { get; init; } = 256;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => 2;

    /// <inheritdoc/>
    public override int? UsualContext => 32;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Memorize(this, context);

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class Memorize : LabelledTask
{
    private readonly MemorizeConfig _config;
    private readonly int[] _values;

    public Memorize(MemorizeConfig config, TaskContext context)
        : base(config, context)
    {
        _config = config;
        int keys = (config.Symbols - 1) / 2;
        int[] values = [.. Enumerable.Range(keys, config.Symbols - 1 - keys)];
        RowDraws.OfTables(config.SplitSeed).Shuffle<int>(values);
        _values = values[..keys];
    }

    public override int Vocab => _config.Vocab;

    public override double? LossOfGuessing => Math.Log(Values);

    private int Sign => _config.Symbols - 1;

    private int Values => Sign - _values.Length;

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(Values);

    public override string Symbol(int token) => token == Sign ? "=" : base.Symbol(token);

    public override IEnumerable<string> Describe() => [$"memorization: the values of {_values.Length} keys, {Time / 2} of them asked for in a row"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets);
        for (int t = 0; t + 1 < tokens.Length; t += 2)
        {
            tokens[t] = draws.Below(_values.Length);
            tokens[t + 1] = Sign;
            targets[t + 1] = _values[tokens[t]];
        }

        return tokens.Length / 2;
    }
}
