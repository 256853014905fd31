using NanoFold.Engine.Data;

namespace NanoFold.Engine.Runs;

/// <summary>The vocabulary of a run before its text is read.</summary>
public static class RunVocab
{
    /// <summary>A configuration with the vocabulary that training would find, as far as that is known before.</summary>
    /// <exception cref="UserException">The tokenizer cannot be read, or the model's own vocabulary is too small.</exception>
    public static RunConfig Expect(RunConfig config) => config.WithVocab(config switch
    {
        { Task.IsText: false } => config.Model.Vocab,
        { Tokenizer: FileTokenizerConfig { Path: { } path } } when config.Model.Vocab == 0 || Path.Exists(path) => SavedTokenizer.Load(path).Vocab,
        { Model.Vocab: > 0 } => config.Tokenizer.LeastVocab(config.Data),
        _ => config.Tokenizer.ExpectedVocab(config.Data),
    });
}
