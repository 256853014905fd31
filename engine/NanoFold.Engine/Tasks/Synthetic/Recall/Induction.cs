using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Induction (arXiv 2209.11895; in this form arXiv 2212.14052 and 2312.00752): a special token stands once among random ones, and again at the row's end, where what followed it is
/// asked for.
/// </summary>
public sealed record InductionConfig : LabelledTaskConfig
{
    public static InductionConfig Tiny => new() { Symbols = 5, ValidationRows = 6 };

    /// <summary>V: the last is the special token.</summary>
    [Bounds(3, 1 << 20)]
    public int Symbols { get; init; } = 16;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => 3;

    /// <inheritdoc/>
    public override int? UsualContext => 256;

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new Induction(this, context);

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class Induction(InductionConfig config, TaskContext context) : LabelledTask(config, context)
{
    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(Special);

    public override string? GroupedBy => "distance";

    // Those before it are random.
    private int Special => config.Symbols - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(Special);

    public override string Symbol(int token) => token == Special ? "*" : base.Symbol(token);

    public override IEnumerable<string> Describe() => [$"induction: what followed a special token among {Time - 1} places"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), groups = row.Integers(BatchField.Groups);
        int last = tokens.Length - 1, at = draws.Below(last - 1);
        foreach (ref int token in tokens)
        {
            token = draws.Below(Special);
        }

        (tokens[at], tokens[last]) = (Special, Special);
        row.Integers(BatchField.Targets)[last] = tokens[at + 1];
        if (!groups.IsEmpty)
        {
            groups[last] = last - at;
        }

        return 1;
    }
}
