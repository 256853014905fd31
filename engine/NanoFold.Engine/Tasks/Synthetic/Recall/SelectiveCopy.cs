using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Tasks;

/// <summary>
/// Selective copying (mad-lab, arXiv 2403.17844): tokens stand among blanks, then comes a sign, and at the blanks after it the tokens are asked for in their order.
/// </summary>
public sealed record SelectiveCopyConfig : LabelledTaskConfig
{
    public static SelectiveCopyConfig Tiny => new() { Symbols = 6, Tokens = 2, ValidationRows = 6 };

    /// <summary>V: the last is the sign, the one before it the blank, the others are copied.</summary>
    [Bounds(4, 4096)]
    public int Symbols { get; init; } = 16;

    /// <summary>Tokens to copy in a row.</summary>
    [Bounds(1, 4096)]
    public int Tokens { get; init; } = 16;

    /// <summary>Whether blanks stand before any of them; otherwise after all of them, which is plain copying.</summary>
    public bool Scattered { get; init; } = true;

    /// <inheritdoc/>
    public override int Vocab => Symbols;

    /// <inheritdoc/>
    public override int LeastContext => (2 * Tokens) + 1;

    /// <inheritdoc/>
    public override int? UsualContext => Math.Max(Scattered ? 256 : 64, LeastContext);

    /// <inheritdoc/>
    public override LearningTask Open(TaskContext context) => new SelectiveCopy(this, context);

    /// <inheritdoc/>
    protected override string LeastContextOf(string path) => $"that {path}.tokens = {Tokens} takes";

    /// <inheritdoc/>
    protected override string VocabOf(string path) => $"{path}.symbols = {Symbols}";
}

internal sealed class SelectiveCopy(SelectiveCopyConfig config, TaskContext context) : LabelledTask(config, context)
{
    public override int Vocab => config.Vocab;

    public override double? LossOfGuessing => Math.Log(Blank);

    public override string? GroupedBy => "distance";

    // Those before it are copied.
    private int Blank => config.Symbols - 2;

    private int Sign => config.Symbols - 1;

    public override IReadOnlyList<BatchField> Fields(int time) => [.. base.Fields(time), BatchField.OfGroups(time)];

    public override IReadOnlyList<Score> Best() => Certain;

    public override IReadOnlyList<Score> Guessing() => OneOf(Blank);

    public override string Symbol(int token) => token == Sign ? "=" : token == Blank ? "_" : base.Symbol(token);

    public override IEnumerable<string> Describe() =>
        [$"copying: {config.Tokens} tokens {(config.Scattered ? $"among {Time - config.Tokens - 1} places" : "at the row's beginning")}, asked for in their order at the end"];

    protected override int Fill(in RowKey key, ref RowDraws draws, in BatchRow row)
    {
        Span<int> tokens = row.Integers(BatchField.Tokens), targets = row.Integers(BatchField.Targets), groups = row.Integers(BatchField.Groups);
        int copied = config.Tokens, start = tokens.Length - copied, blanks = start - 1 - copied;
        // Each blank falls before one of the tokens, so that the last one is next to the sign; with plain copying all come after them.
        Span<int> before = stackalloc int[copied];
        before.Clear();
        for (int i = 0; config.Scattered && i < blanks; i++)
        {
            before[draws.Below(copied)]++;
        }

        tokens.Fill(Blank);
        tokens[start - 1] = Sign;
        for (int i = 0, place = 0; i < copied; i++, place++)
        {
            place += before[i];
            targets[start + i] = tokens[place] = draws.Below(Blank);
            if (!groups.IsEmpty)
            {
                groups[start + i] = start + i - place;
            }
        }

        return copied;
    }
}
