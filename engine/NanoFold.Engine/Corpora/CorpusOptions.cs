namespace NanoFold.Engine.Corpora;

/// <summary>How the files of a corpus are read.</summary>
public sealed record CorpusOptions
{
    /// <summary>The field of JSON lines and the column of Parquet that holds the text, where none is named.</summary>
    public const string DefaultField = "text";

    /// <summary>The text between two documents of one file, such as <c>&lt;|endoftext|&gt;</c>; null where a file is one document.</summary>
    public string? Separator { get; init; }

    /// <summary>
    /// The field of JSON lines (dots lead into objects) and the column of Parquet that holds the text; null for <see cref="DefaultField"/>. Where it is
    /// named, a text without the ending <c>.jsonl</c> is JSON lines too if it begins with a brace.
    /// </summary>
    public string? Field { get; init; }

    /// <summary>Whether a text that has no fields is refused where <see cref="Field"/> is named; false where that was named for another text.</summary>
    public bool RequiresField { get; init; } = true;

    /// <summary>Whether a corpus with a file that cannot be read as it should is refused; otherwise the others are used, and a note names it.</summary>
    public bool Strict { get; init; }
}
