using NanoFold.Engine.Data;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Configuration;

/// <summary>Opens what the sections <c>data</c> and <c>tokenizer</c> describe.</summary>
public static class ConfiguredData
{
    /// <summary>The text to train on: <c>data.path</c>, or the default corpus.</summary>
    /// <exception cref="UserException">There is no default corpus on this machine.</exception>
    /// <exception cref="InvalidDataException">The path cannot be used.</exception>
    public static Corpus OpenCorpus(DataConfig data)
        => data.Path is { } path
            ? Corpus.Open(path)
            : DefaultCorpus.Open() ?? throw new UserException(
                $"no text to train on: the default, {DefaultCorpus.Name}, comes with the .NET SDK and was not found; name a file or folder with --data");

    /// <summary>The text as tokens, from the cache or made now.</summary>
    /// <param name="config">What is described.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends waiting and tokenizing.</param>
    /// <exception cref="UserException">There is no text.</exception>
    /// <exception cref="InvalidDataException">The text or tokenizer cannot be used.</exception>
    public static TokenDataset Open(RunConfig config, Action<string>? note = null, CancellationToken cancel = default)
    {
        Corpus corpus = OpenCorpus(config.Data);
        var options = new DataOptions
        {
            Validation = config.Data.Validation is { } validation ? Corpus.Open(validation) : null,
            ValidationShare = config.Data.ValidationFraction,
            Documents = config.Data.Documents,
        };
        return new TokenCache().Open(corpus, SpecOf(config.Tokenizer), options, note, cancel);
    }

    private static TokenizerSpec SpecOf(TokenizerConfig tokenizer) => tokenizer switch
    {
        BpeTokenizerConfig bpe => TokenizerSpec.Bpe(bpe.Vocab),
        ByteTokenizerConfig => TokenizerSpec.Byte,
        FileTokenizerConfig file => TokenizerSpec.Given(Tokenizer.Load(file.Path!)),
        _ => throw new InvalidOperationException($"tokenizer {tokenizer.Kind}: nothing makes it"),
    };
}
