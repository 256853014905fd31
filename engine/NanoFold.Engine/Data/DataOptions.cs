namespace NanoFold.Engine.Data;

/// <summary>How a corpus becomes a data set.</summary>
public sealed record DataOptions
{
    /// <summary>Text to validate with; then all of the corpus is trained on.</summary>
    public Corpus? Validation { get; init; }

    /// <summary>Without <see cref="Validation"/>: the share of the corpus' bytes, at its end, to validate with. In [0, 1].</summary>
    public double ValidationShare { get; init; } = 0.1;

    /// <summary>How documents are put together.</summary>
    public DocumentMode Documents { get; init; }
}
