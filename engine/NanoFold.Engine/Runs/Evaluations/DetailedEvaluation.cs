using System.Text.Json.Serialization;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Runs.Evaluations;

/// <summary>
/// <c>evaluation.json</c> of a run: what one number does not say. The loss on what is held back by the place in the row, by what the task tells its targets apart by (of
/// text how frequent a token is in the text trained on, and the part of the document), and on rows longer than those that were trained on.
/// </summary>
public sealed record DetailedEvaluation
{
    /// <summary>The file's name inside a run folder.</summary>
    public const string FileName = "evaluation.json";

    /// <summary>The version that is written; newer ones are refused.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Of the file.</summary>
    public required int Version { get; init; }

    /// <summary>Steps that the evaluated model was trained for.</summary>
    public required long Step { get; init; }

    /// <summary>The kind of the task: <c>text</c>, <c>mqar</c>.</summary>
    public required string Task { get; init; }

    /// <summary>What was evaluated on: the corpus, or what the task calls itself.</summary>
    public required string Name { get; init; }

    /// <summary>What losses are counted in: <c>nats per token</c>.</summary>
    public required string Unit { get; init; }

    /// <summary>T of training.</summary>
    public required int Context { get; init; }

    /// <summary>Rows evaluated, evenly spaced over all that there are; of text in groups of neighbors that are together one of the longest rows of <see cref="Contexts"/>.</summary>
    public required long Rows { get; init; }

    /// <summary>Rows that there are.</summary>
    public required long AllRows { get; init; }

    /// <summary>Targets in these rows.</summary>
    public required long Targets { get; init; }

    /// <summary>Mean over the targets.</summary>
    public required double Loss { get; init; }

    /// <summary>Of text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>What the task scores besides, such as accuracy.</summary>
    public required IReadOnlyList<Score> Scores { get; init; }

    /// <summary>The same targets told apart, axis by axis; <c>position</c> first. None where the task's loss is not of single places.</summary>
    public required IReadOnlyList<ScoreBreakdown> Breakdowns { get; init; }

    /// <summary>
    /// On rows as long as in training, twice and four times as long. Of text they cover the same places; what a task makes up it makes up for the length, so that its rows are others.
    /// </summary>
    public required IReadOnlyList<ContextEvaluation> Contexts { get; init; }

    /// <summary>What all of it took.</summary>
    public required double Seconds { get; init; }

    /// <summary>The breakdown by an axis; null where there is none.</summary>
    public ScoreBreakdown? By(string axis) => Breakdowns.FirstOrDefault(breakdown => breakdown.Axis == axis);

    /// <summary>Reads the file of a run folder; null where it has none.</summary>
    /// <exception cref="UserException">It is damaged or was written by a newer version.</exception>
    public static DetailedEvaluation? Find(string runFolder)
    {
        string path = Path.Combine(runFolder, FileName);
        return File.Exists(path) ? RecordFile.Read<DetailedEvaluation>(path, CurrentVersion, file => file.Version) : null;
    }

    /// <summary>Whether a run folder has one of a step; one that cannot be read is made again.</summary>
    internal static bool IsThere(string runFolder, long step)
    {
        try
        {
            return Find(runFolder)?.Step == step;
        }
        catch (UserException)
        {
            return false;
        }
    }
}

/// <summary>Targets told apart by one axis.</summary>
/// <param name="Axis">Its name: <c>position</c>, <c>frequency</c>, <c>documentPart</c>, or one of the task.</param>
/// <param name="Meaning">What its numbers count.</param>
/// <param name="Scale">How numbers are put together.</param>
/// <param name="Bins">Those that have targets, in order.</param>
public sealed record ScoreBreakdown(string Axis, string Meaning, AxisScale Scale, IReadOnlyList<ScoreBin> Bins);

/// <summary>The targets of one bin.</summary>
/// <param name="From">Its smallest number.</param>
/// <param name="To">Its largest, included.</param>
/// <param name="Targets">How many.</param>
/// <param name="Loss">Mean over them.</param>
public readonly record struct ScoreBin(long From, long To, long Targets, double Loss)
{
    /// <summary>The share that is predicted right, where the task scores that.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Accuracy { get; init; }

    /// <summary>Of text; null where its tokens have no bytes, as the mark that ends a document.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? BitsPerByte { get; init; }
}

/// <summary>The same model on rows of another length.</summary>
/// <param name="Factor">How many times as long as in training.</param>
/// <param name="Context">Places of a row.</param>
public sealed record ContextEvaluation(int Factor, int Context)
{
    /// <summary>Mean over the targets; null where there is none, see <see cref="WhyNot"/>.</summary>
    public double? Loss { get; init; }

    /// <summary>Of text.</summary>
    public double? BitsPerByte { get; init; }

    /// <summary>What the task scores besides.</summary>
    public IReadOnlyList<Score> Scores { get; init; } = [];

    /// <summary>How many targets.</summary>
    public long Targets { get; init; }

    /// <summary>By the place in the row.</summary>
    public ScoreBreakdown? Positions { get; init; }

    /// <summary>Why the model cannot read such rows, in a line; null where it can.</summary>
    public string? WhyNot { get; init; }
}
