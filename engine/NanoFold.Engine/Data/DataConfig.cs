using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Corpora;

namespace NanoFold.Engine.Data;

/// <summary>The section <c>data</c>: what is trained on.</summary>
public sealed record DataConfig
{
    /// <summary>A file, pipe (- for standard input), folder or pattern of text; null for the default corpus.</summary>
    [Resumable]
    public string? Path { get; init; }

    /// <summary>A file or folder to validate on; null to hold back <see cref="ValidationFraction"/>.</summary>
    [Resumable]
    public string? Validation { get; init; }

    /// <summary>The share of the corpus held back for validation where <see cref="Validation"/> is null: of a single document its end, of several those that <see cref="Split"/> says.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>Which documents are held back, where there are several.</summary>
    public SplitKind Split { get; init; }

    /// <summary>Decides what is drawn for <see cref="SplitKind.Shuffled"/>; apart from train.seed, so that runs of different seeds validate on the same text.</summary>
    [Bounds(0, long.MaxValue)]
    public long SplitSeed { get; init; } = 1;

    /// <summary>What becomes of the boundaries between documents.</summary>
    public DocumentMode Documents { get; init; } = DocumentMode.Auto;

    /// <summary>Text that stands between two documents of one file, such as &lt;|endoftext|&gt;; null where a file is one document.</summary>
    public string? Separator { get; init; }

    /// <summary>The field of JSON lines (dots lead into objects) or column of Parquet that holds the text; the one called text if null.</summary>
    public string? Field { get; init; }

    /// <summary>A text of which something cannot be read is refused; otherwise the rest is used, and a note says what was left out.</summary>
    public bool Strict { get; init; }

    /// <summary>An older text, of which some rows come again, so that what was learned of it stays; null for none.</summary>
    [Resumable]
    public string? Replay { get; init; }

    /// <summary>The share of rows that are of <c>data.replay</c>.</summary>
    [Bounds(0, 1, AboveMinimum = true, BelowMaximum = true)]
    public double ReplayShare { get; init; } = 0.1;

    /// <summary>Tokens see only their own document.</summary>
    public bool MaskDocuments { get; init; }

    /// <summary>How the rows that a step draws are numbered; without <c>train.accumulate</c> both are the same.</summary>
    public DrawOrder Draws { get; init; }

    /// <summary>How its files are read.</summary>
    [JsonIgnore]
    public CorpusOptions Reading => new() { Separator = Separator, Field = Field, Strict = Strict };

    /// <summary>What is wrong with it.</summary>
    public IEnumerable<ConfigProblem> Validate(string path)
    {
        if (MaskDocuments && Documents == DocumentMode.Join)
        {
            yield return new ConfigProblem($"{path}.maskDocuments", "has no boundaries to go by while data.documents is \"join\"; use \"mark\"");
        }

        if (Path is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.path", "is empty; use null for the default corpus");
        }

        if (Replay is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.replay", "is empty; use null for no older text");
        }

        if (Separator is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.separator", "is empty; use null where a file is one document");
        }

        if (Field is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.field", "is empty; use null for the field text");
        }

        if (Validation is { Length: 0 })
        {
            yield return new ConfigProblem($"{path}.validation", "is empty; use null to hold back data.validationFraction");
        }
    }
}

/// <summary>What becomes of the boundaries between documents.</summary>
public enum DocumentMode
{
    /// <summary>Marked where the corpus has several documents, joined otherwise.</summary>
    Auto,

    /// <summary>One stream without marks.</summary>
    Join,

    /// <summary>Special tokens begin and end each document.</summary>
    Mark,
}

/// <summary>Which documents of several are held back for validation.</summary>
public enum SplitKind
{
    /// <summary>Some from everywhere: those at the end of a shuffled order.</summary>
    Shuffled,

    /// <summary>The last ones by name.</summary>
    End,
}
