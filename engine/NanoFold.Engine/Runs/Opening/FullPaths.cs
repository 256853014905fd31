using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;

namespace NanoFold.Engine.Runs;

/// <summary>What a run remembers does not depend on the folder in which it was begun.</summary>
internal static class FullPaths
{
    /// <summary>A configuration whose files and folders are named from the root.</summary>
    public static RunConfig Of(RunConfig config) => config with
    {
        Data = config.Data with { Path = Full(config.Data.Path), Validation = Full(config.Data.Validation) },
        Tokenizer = config.Tokenizer is FileTokenizerConfig file ? file with { Path = Full(file.Path) } : config.Tokenizer,
    };

    // A pipe is gone when the run goes on, and its name may then lead to another.
    private static string? Full(string? path) => path is null or Corpus.Pipe ? path : Corpus.CanBeReadOnce(path) ? Corpus.Pipe : Path.GetFullPath(path);
}
