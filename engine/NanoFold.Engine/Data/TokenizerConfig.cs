using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Data;

/// <summary>The section <c>tokenizer</c>: how text becomes tokens. A tokenizer of another program comes as a file.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(BpeTokenizerConfig), "bpe")]
[JsonDerivedType(typeof(ByteTokenizerConfig), "byte")]
[JsonDerivedType(typeof(FileTokenizerConfig), "file")]
[JsonDerivedType(typeof(NoTokenizerConfig), "none")]
public abstract record TokenizerConfig
{
    private protected TokenizerConfig()
    {
    }

    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>Symbols to reckon with before there is a tokenizer; 0 where only its file can tell.</summary>
    public abstract int ExpectedVocab(DataConfig data);

    /// <summary>Symbols that its tokenizer has in any case; a learned one may stay far below <see cref="ExpectedVocab"/>.</summary>
    public virtual int LeastVocab(DataConfig data) => ExpectedVocab(data);

    /// <summary>What is wrong with it.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(string path) => [];
}

/// <summary>A byte-level BPE, trained on the corpus.</summary>
public sealed record BpeTokenizerConfig : TokenizerConfig
{
    /// <summary>Symbols at most, the 256 bytes and the marks of documents included; a small corpus gives fewer.</summary>
    [Bounds(258, 1 << 20)]
    public int Vocab { get; init; } = 2048;

    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => Vocab;

    /// <inheritdoc/>
    public override int LeastVocab(DataConfig data) => data.Documents == DocumentMode.Mark ? 258 : 256;
}

/// <summary>A token per byte: 256 symbols, and two more where documents are marked.</summary>
public sealed record ByteTokenizerConfig : TokenizerConfig
{
    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => data.Documents == DocumentMode.Mark ? 258 : 256;
}

/// <summary>A model that came from elsewhere without one; it neither reads nor writes text.</summary>
public sealed record NoTokenizerConfig : TokenizerConfig
{
    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => 0;
}

/// <summary>A tokenizer that exists: a <c>tokenizer.json</c>, a SentencePiece model, <c>vocab.json</c> with <c>merges.txt</c>, ranks of tiktoken, llama2.c's <c>tokenizer.bin</c>.</summary>
public sealed record FileTokenizerConfig : TokenizerConfig
{
    /// <summary>The file, or the folder it lies in.</summary>
    public string? Path { get; init; }

    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => 0;

    /// <inheritdoc/>
    public override IEnumerable<ConfigProblem> Validate(string path)
    {
        if (string.IsNullOrWhiteSpace(Path))
        {
            yield return new ConfigProblem($"{path}.path", "is needed for kind \"file\": name a tokenizer's file");
        }
    }
}
