using NanoFold.Engine.Data;

namespace NanoFold.Engine.Configuration;

/// <summary>A token per byte: 256 symbols, and two more where documents are marked.</summary>
public sealed record ByteTokenizerConfig : TokenizerConfig
{
    /// <inheritdoc/>
    public override int ExpectedVocab(DataConfig data) => data.Documents == DocumentMode.Mark ? 258 : 256;
}
