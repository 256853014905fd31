using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Data;

/// <summary>The section <c>data</c>: what is trained on.</summary>
public sealed record DataConfig
{
    /// <summary>A file or folder of text; null for the default corpus.</summary>
    [Resumable]
    public string? Path { get; init; }

    /// <summary>A file or folder to validate on; null to hold back <see cref="ValidationFraction"/>.</summary>
    [Resumable]
    public string? Validation { get; init; }

    /// <summary>The share of the corpus, from its end, held back for validation where <see cref="Validation"/> is null.</summary>
    [Bounds(0, 1, BelowMaximum = true)]
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>What becomes of the boundaries between documents.</summary>
    public DocumentMode Documents { get; init; } = DocumentMode.Auto;

    /// <summary>Tokens see only their own document.</summary>
    public bool MaskDocuments { get; init; }

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
