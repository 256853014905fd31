using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs;

/// <summary>From the sections <c>data</c> and <c>tokenizer</c> to tokens on disk.</summary>
public static class TrainData
{
    // The standard error of a mean loss over so many tokens is about a tenth of a nat.
    private const int FewTokens = 1000;

    /// <summary>Opens the corpus that a configuration names, tokenized; from the cache where it was tokenized before.</summary>
    /// <param name="config">The two sections.</param>
    /// <param name="note">Told, in a line, what takes time.</param>
    /// <param name="cancel">Ends tokenizing.</param>
    /// <param name="own">The tokenizer of a checkpoint, in place of the file that <c>tokenizer.path</c> names: that one may be gone.</param>
    public static TokenDataset Open(RunConfig config, Action<string>? note = null, CancellationToken cancel = default, Tokenizer? own = null)
    {
        using Corpus corpus = Corpus.OpenOrDefault(config.Data.Path, config.Data.Reading);
        TokenizerSpec spec = config.Tokenizer is FileTokenizerConfig { Path: { } path } ? TokenizerSpec.Given(own ?? SavedTokenizer.Load(path)) : TokenizerSpec.Of(config.Tokenizer);
        return new TokenCache().Open(corpus, spec, config.Data, null, note, cancel);
    }

    /// <summary>Why a validation loss is going to say little, in a line, or null; where none was asked for, none is missing.</summary>
    public static string? DoubtAbout(TokenDataset dataset, DataConfig data)
    {
        long tokens = dataset.Validation.Tokens;
        string what = data.Validation is { } path ? $"the validation text {path}" : "what is held back for validation";
        string remedy = data.Validation is not null ? "give it more" : "use more text, a larger data.validationFraction, or a text of its own (data.validation)";
        return data.Validation is null && data.ValidationFraction == 0 ? null
            : tokens < 2 ? $"{what} has {(tokens == 0 ? "no tokens" : "one token")}, so there will be no validation loss: {remedy}"
            : tokens < FewTokens ? $"{what} has only {tokens} tokens, so its loss says little: {remedy}"
            : null;
    }
}
