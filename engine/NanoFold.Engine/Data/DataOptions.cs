using NanoFold.Engine.Corpora;

namespace NanoFold.Engine.Data;

/// <summary>How a corpus becomes a data set.</summary>
public sealed record DataOptions
{
    /// <summary>Text to validate with; then all of the corpus is trained on.</summary>
    public Corpus? Validation { get; init; }

    /// <summary>Without <see cref="Validation"/>: the share of the corpus' bytes, at its end, to validate with. In [0, 1].</summary>
    public double ValidationShare { get; init; } = 0.1;

    /// <summary>
    /// How documents are put together. Several are marked where nothing else is said and the tokenizer has marks or is
    /// learned with them; bytes are marked only where it is said. Where each begins is kept either way.
    /// </summary>
    public DocumentMode Documents { get; init; }

    /// <summary>What the section <c>data</c> says.</summary>
    /// <exception cref="UserException">The text to validate with is not there.</exception>
    public static DataOptions Of(DataConfig config) => new()
    {
        Validation = config.Validation is { } path ? Corpus.Open(path) : null,
        ValidationShare = config.ValidationFraction,
        Documents = config.Documents,
    };
}
