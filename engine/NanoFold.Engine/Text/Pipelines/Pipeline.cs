namespace NanoFold.Engine.Text;

/// <summary>What a tokenizer of a <c>tokenizer.json</c> is made of.</summary>
internal sealed record Pipeline
{
    /// <summary>The kind of its model, for people: <c>bpe</c>, <c>unigram</c>, <c>wordpiece</c>, <c>wordlevel</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The text of each id as the file has it; null where an id is not used.</summary>
    public required string?[] Tokens { get; init; }

    /// <summary>Those that are found before all else.</summary>
    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>Of several of them at one place the first of the list is taken, not the longest.</summary>
    public bool FirstAdded { get; init; }

    /// <summary>In order.</summary>
    public IReadOnlyList<Normalizer> Normalizers { get; init; } = [];

    /// <summary>In order; the last is the model.</summary>
    public required IReadOnlyList<Stage> Stages { get; init; }

    /// <summary>Of BPE.</summary>
    public MergeTable? Merges { get; init; }

    /// <summary>In order; without any, tokens stand with spaces between.</summary>
    public IReadOnlyList<TokenDecoder> Decoders { get; init; } = [];

    /// <summary>What is done to the ids of a whole text.</summary>
    public CompleteForm Form { get; init; } = new();

    /// <summary>The id that begins a document.</summary>
    public int? Bos { get; init; }

    /// <summary>The id that ends a document.</summary>
    public int? Eos { get; init; }

    /// <summary>The file, or what stands for it.</summary>
    public required Func<byte[]> Source { get; init; }
}
