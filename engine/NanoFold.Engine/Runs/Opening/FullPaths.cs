using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;

namespace NanoFold.Engine.Runs;

/// <summary>What a run remembers does not depend on the folder in which it was begun.</summary>
internal static class FullPaths
{
    /// <summary>A configuration whose files and folders are named from the root.</summary>
    public static RunConfig Of(RunConfig config) => config with
    {
        Data = Of(config.Data),
        Tokenizer = config.Tokenizer is FileTokenizerConfig file ? file with { Path = Full(file.Path) } : config.Tokenizer,
    };

    /// <summary>The same of the texts alone: of a run of an older version, whose tokenizer is the one in its checkpoints and keeps its name.</summary>
    public static DataConfig Of(DataConfig data) => data with { Path = Full(data.Path), Validation = Full(data.Validation), Replay = Full(data.Replay) };

    // A pipe is gone when the run goes on, and its name may then lead to another.
    private static string? Full(string? path) => path is null or Corpus.Pipe ? path : Corpus.CanBeReadOnce(path) ? Corpus.Pipe : Path.GetFullPath(path);
}
