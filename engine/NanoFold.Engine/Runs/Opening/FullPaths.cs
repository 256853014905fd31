using NanoFold.Engine.Data;

namespace NanoFold.Engine.Runs;

/// <summary>What a run remembers does not depend on the folder in which it was begun.</summary>
internal static class FullPaths
{
    // Standard input has no place.
    private const string StandardInput = "-";

    /// <summary>A configuration whose files and folders are named from the root.</summary>
    public static RunConfig Of(RunConfig config) => config with
    {
        Data = config.Data with { Path = Full(config.Data.Path), Validation = Full(config.Data.Validation) },
        Tokenizer = config.Tokenizer is FileTokenizerConfig file ? file with { Path = Full(file.Path) } : config.Tokenizer,
    };

    private static string? Full(string? path) => path is null or StandardInput ? path : Path.GetFullPath(path);
}
