using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>From the sections <c>data</c> and <c>tokenizer</c> to tokens on disk.</summary>
public static class TrainData
{
    /// <summary>Opens the corpus that a configuration names, tokenized; from the cache where it was tokenized before.</summary>
    /// <param name="config">The two sections.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <param name="own">The tokenizer of a checkpoint, in place of the file that <c>tokenizer.path</c> names: that one may be gone.</param>
    public static TokenDataset Open(RunConfig config, Action<string>? note = null, CancellationToken cancel = default, Tokenizer? own = null)
    {
        using Corpus corpus = Corpus.OpenOrDefault(config.Data.Path, config.Data.Reading);
        TokenizerSpec spec = own is not null && config.Tokenizer is FileTokenizerConfig ? TokenizerSpec.Given(own) : TokenizerSpec.Of(config.Tokenizer);
        return new TokenCache().Open(corpus, spec, config.Data, null, note, cancel);
    }
}
