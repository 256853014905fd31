using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;

namespace NanoFold.Engine.Runs;

/// <summary>From the sections <c>data</c> and <c>tokenizer</c> to tokens on disk.</summary>
public static class TrainData
{
    /// <summary>Opens the corpus that a configuration names, tokenized; from the cache where it was tokenized before.</summary>
    public static TokenDataset Open(RunConfig config, Action<string>? note = null, CancellationToken cancel = default)
    {
        using Corpus corpus = Corpus.OpenOrDefault(config.Data.Path, config.Data.Reading);
        return new TokenCache().Open(corpus, TokenizerSpec.Of(config.Tokenizer), config.Data, null, note, cancel);
    }
}
