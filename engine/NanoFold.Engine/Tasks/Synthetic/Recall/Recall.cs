using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Recall in context (mad-lab, arXiv 2403.17844): a row is of pairs of a key and its value, which another row draws anew. Trained on is every next token; validated is whether the
/// value of a key is known where the key has stood before.
/// </summary>
public record RecallConfig : LabelledTaskConfig
{
    public static RecallConfig Tiny => new() { Symbols = 8, ValidationRows = 6 };

    /// <summary>Symbols but for noise: the lower half are keys, the upper half values.</summary>
    [Bounds(4, 4096)]
    public int Symbols { get; init; } = 16;

    /// <summary>Whether validation asks for the value of one key only, at the end, after a sign; otherwise for that of each key that has stood before.</summary>
    public bool SingleQuery { get; init; }

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => 4;

    /// <inheritdoc/>
    public override int? UsualContext => 128;

    /// <inheritdoc/>
    protected override bool LabelsFollow => true;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Recall(this, noiseSymbols: 0, noiseShare: 0, context);

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

/// <summary>Recall in context where some of the pairs are noise: two tokens that are neither keys nor values (mad-lab, arXiv 2403.17844).</summary>
public sealed record NoisyRecallConfig : RecallConfig
{
    public static new NoisyRecallConfig Tiny => new() { Symbols = 8, NoiseSymbols = 4, ValidationRows = 6 };

    /// <summary>Symbols of noise, after the others.</summary>
    [Bounds(1, 4096)]
    public int NoiseSymbols { get; init; } = 16;

    /// <summary>How likely a pair is noise.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double NoiseShare { get; init; } = 0.2;

    /// <inheritdoc/>
    public override int Vocab => Symbols + NoiseSymbols;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Recall(this, NoiseSymbols, NoiseShare, context);

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols} and {path}.noiseSymbols = {NoiseSymbols}";
}

internal sealed class Recall : LabelledTask
{
    private readonly RecallConfig _config;
    private readonly int _noiseSymbols;
    private readonly double _noiseShare;
    private readonly int _keys;
    private readonly int _values;

    public Recall(RecallConfig config, int noiseSymbols, double noiseShare, TaskContext context)
        : base(config, context)
    {
        (_config, _noiseSymbols, _noiseShare) = (config, noiseSymbols, noiseShare);
        int symbols = config.Symbols - (config.SingleQuery ? 1 : 0);
        (_keys, _values) = (symbols / 2, symbols - (symbols / 2));
    }

    public override int Vocab => _config.Vocab;

    public override double? LossOfGuessing => Math.Log(Vocab);

    public override string? GroupedBy => "distance";

    // After keys and values: noise, then the sign.
    private int Sign => Vocab - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(_values);

    public override string Symbol(int token) => _config.SingleQuery && token == Sign ? "?" : token >= _keys + _values ? $"~{base.Symbol(token)}" : base.Symbol(token);

    public override IEnumerable<string> Describe() =>
    [
        $"recall in context: {_keys} keys and {_values} values, {(Time + 1) / 2} pairs a row{(_noiseShare > 0 ? FormattableString.Invariant($", {_noiseShare:0.##%} of them noise") : "")}",
        _config.SingleQuery ? "trained on every next token, validated on the last" : "trained on every next token, validated on values of keys seen before",
    ];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        bool all = key.Split == TaskSplit.Training;
        var writer = new SequenceWriter(row);
        // A sequence is one token longer than the row; of each key the value, −1 before it has one, and where it stood last.
        int pairs = (writer.Length - (_config.SingleQuery ? 1 : 0)) / 2, certain = draws.Below(pairs - 1);
        Span<int> values = stackalloc int[_keys], places = stackalloc int[_keys];
        values.Fill(-1);
        for (int pair = 0; pair < pairs; pair++)
        {
            bool isLast = pair == pairs - 1;
            if (!isLast && pair != certain && _noiseShare > 0 && draws.Uniform() < _noiseShare)
            {
                writer.Write(_keys + _values + draws.Below(_noiseSymbols), all);
                writer.Write(_keys + _values + draws.Below(_noiseSymbols), all);
                continue;
            }

            if (isLast && _config.SingleQuery)
            {
                writer.Write(Sign, all);
            }

            int drawn = isLast ? OneWithValue(values, ref draws) : draws.Below(_keys), place = writer.Written;
            bool isAsked = values[drawn] >= 0 && (isLast || !_config.SingleQuery);
            values[drawn] = values[drawn] >= 0 ? values[drawn] : _keys + draws.Below(_values);
            writer.Write(drawn, all);
            writer.Write(values[drawn], all || isAsked, isAsked ? place - places[drawn] : -1);
            places[drawn] = place;
        }

        if (writer.Written < writer.Length)
        {
            writer.Write(draws.Below(_keys), all && !_config.SingleQuery);
        }

        return writer.Targets;
    }

    // One of the keys that have a value.
    private static int OneWithValue(ReadOnlySpan<int> values, ref RowDraws draws)
    {
        int left = draws.Below(values.Length - values.Count(-1)), key = -1;
        do
        {
            key++;
            left -= values[key] >= 0 ? 1 : 0;
        }
        while (left >= 0);
        return key;
    }
}
