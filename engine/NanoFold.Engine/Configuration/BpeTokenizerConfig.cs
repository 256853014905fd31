namespace NanoFold.Engine.Configuration;

/// <summary>A byte-level BPE, trained on the corpus.</summary>
public sealed record BpeTokenizerConfig : TokenizerConfig
{
    /// <summary>Symbols at most, the 256 bytes and the marks of documents included; a small corpus gives fewer.</summary>
    [Bounds(258, 1 << 20)]
    public int Vocab { get; init; } = 2048;

    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => Vocab;
}
