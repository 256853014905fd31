using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Training;

/// <summary>From the sections <c>data</c> and <c>tokenizer</c> to tokens on disk.</summary>
public static class TrainData
{
    /// <summary>Opens the corpus that a configuration names, tokenized; from the cache where it was before.</summary>
    public static TokenDataset Open(RunConfig config, Action<string>? note = null, CancellationToken cancel = default)
    {
        DataConfig data = config.Data;
        Corpus corpus = data.Path is { } path
            ? Corpus.Open(path)
            : DefaultCorpus.Open() ?? throw new UserException("no --data given, and there is no .NET SDK reference documentation to train on; name a text file or folder with --data");
        var options = new DataOptions
        {
            Validation = data.Validation is { } validation ? Corpus.Open(validation) : null,
            ValidationShare = data.ValidationFraction,
            Documents = data.Documents,
        };
        TokenizerSpec spec = config.Tokenizer switch
        {
            ByteTokenizerConfig => TokenizerSpec.Byte,
            BpeTokenizerConfig bpe => TokenizerSpec.Bpe(bpe.Vocab),
            FileTokenizerConfig file => TokenizerSpec.Given(Tokenizer.Load(file.Path!)),
            _ => throw new ArgumentException($"tokenizer kind {config.Tokenizer.Kind}: not known here"),
        };
        return new TokenCache().Open(corpus, spec, options, note, cancel);
    }
}
