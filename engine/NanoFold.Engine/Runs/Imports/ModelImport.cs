using System.Globalization;
using System.Text;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Runs.Imports;

/// <summary>Makes folders of ours of models of other programs: one model as a folder with its weights, several states of one as a run with checkpoints.</summary>
public static class ModelImport
{
    /// <summary>Writes the folder.</summary>
    /// <param name="paths">Models of other programs: one, or the states of one in the order of their training; or one folder of such states.</param>
    /// <param name="target">The folder to write, which must not hold anything.</param>
    /// <param name="options">What is to be other than in the models.</param>
    /// <returns>What the last of them is.</returns>
    /// <exception cref="UserException">A model is none, is not supported, or the folder cannot be written; nothing of it is left then.</exception>
    public static ImportedModel Run(IReadOnlyList<string> paths, string target, ImportOptions options)
    {
        ImportFolder.RequireFree(target);
        string[] sources = [.. paths.Count == 1 ? StatesIn(paths[0]) : paths];
        return sources.Length == 1
            ? ImportFolder.Write(target, folder => WriteModel(sources[0], folder, options, expected: null))
            : ImportFolder.Write(target, folder => WriteStates(sources, folder, options));
    }

    private static ImportedModel WriteStates(string[] sources, string folder, ImportOptions options)
    {
        (string Path, long Step)[] states = [.. sources.Zip(StepsOf(sources))];
        ImportedModel? model = null;
        foreach ((string path, long step) in states.OrderBy(state => state.Step))
        {
            string checkpoint = Path.Combine(folder, RunFolder.CheckpointsFolder, CheckpointFolder.NameOf(step));
            model = WriteModel(path, checkpoint, options, expected: model);
        }

        ImportFolder.WriteFile(folder, ConfigFile(model!));
        return model! with { Steps = [.. states.Select(state => state.Step).Order()] };
    }

    // expected: the state before, of the same model.
    private static ImportedModel WriteModel(string path, string folder, ImportOptions options, ImportedModel? expected)
    {
        using ForeignModel foreign = ForeignModel.TryOpen(path) ?? throw NotForeign(path);
        (Tokenizer? tokenizer, string named) = options.Tokenizer is { } given ? (SavedTokenizer.Load(given), given) : (foreign.Tokenizer, path);
        ModelConfig config = options.Context is { } context ? foreign.ConfigFor(context) : foreign.Config;
        if (tokenizer is not null)
        {
            SavedModel.RequireRoom(tokenizer, config.Vocab, named);
        }

        RunConfig run = SavedModel.ConfigOf(config, tokenizer is null ? null : Path.GetFullPath(named));
        if (expected is not null && new RunConfig { Model = expected.Run.Model }.ToJson() != new RunConfig { Model = run.Model }.ToJson())
        {
            throw new UserException($"{path}: is of another model than the state before it, so that they make no run together");
        }

        var imported = new ImportedModel(foreign.Format, run, foreign.Weights.All.Sum(weight => weight.Count), foreign.Ignored, tokenizer?.Name) { HasChatTemplate = foreign.ChatTemplate is not null };
        ImportFolder.WriteFile(folder, ConfigFile(imported));
        ImportFolder.WriteFile(folder, new CheckpointFile(ModelFile.Name, stream => WeightFile.Write(foreign.Weights, foreign.Path, stream)));
        if (foreign.ChatTemplate is { } template)
        {
            ImportFolder.WriteFile(folder, new CheckpointFile(ChatTemplate.FileName, stream => stream.Write(Encoding.UTF8.GetBytes(template))));
        }

        if (tokenizer is not null)
        {
            ImportFolder.WriteFile(folder, new CheckpointFile(Tokenizer.FileName, stream => stream.Write(tokenizer.Serialize())));
        }

        return imported;
    }

    private static CheckpointFile ConfigFile(ImportedModel model) => new(RunConfig.FileName, stream => stream.Write(Encoding.UTF8.GetBytes(model.Run.ToJson())));

    // The models in a folder that is none itself.
    private static IEnumerable<string> StatesIn(string path)
    {
        string[] states = Directory.Exists(path) && !ForeignModel.IsForeign(path) ? [.. Directory.GetDirectories(path).Where(ForeignModel.IsForeign).Order(StringComparer.Ordinal)] : [];
        return states.Length > 0 ? states : [path];
    }

    // The number at the end of each name, as in step1000; where one has none, or two have the same, their order.
    private static IEnumerable<long> StepsOf(string[] paths)
    {
        long[] steps = [.. paths.Select(path => NumberAtEnd(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)))))];
        return steps.Contains(-1) || steps.Distinct().Count() < steps.Length ? steps.Select((_, i) => i + 1L) : steps;
    }

    private static long NumberAtEnd(string name)
    {
        int start = name.Length;
        while (start > 0 && char.IsAsciiDigit(name[start - 1]))
        {
            start--;
        }

        return long.TryParse(name.AsSpan(start), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : -1;
    }

    private static UserException NotForeign(string path) => new(
        !Path.Exists(path) ? $"{path}: there is no such file or folder"
        : File.Exists(Path.Combine(path, RunConfig.FileName)) ? $"{path}: is a model of this program already; name it with --model"
        : $"{path}: is no model that is known; import takes a folder of transformers (config.json and model.safetensors), or a file of llama.cpp (GGUF), llama2.c or llm.c");
}

/// <summary>What an imported model is to have other than it says itself.</summary>
/// <param name="Tokenizer">A tokenizer's file or folder; null for its own.</param>
/// <param name="Context">Tokens that a sequence has at most; null for its own.</param>
public sealed record ImportOptions(string? Tokenizer = null, int? Context = null);

/// <summary>What was imported.</summary>
/// <param name="Format">What it was.</param>
/// <param name="Run">What it is now.</param>
/// <param name="Parameters">How many numbers it has.</param>
/// <param name="Ignored">What was left out, for it cannot change the numbers.</param>
/// <param name="Tokenizer">The kind of its tokenizer, or null.</param>
public sealed record ImportedModel(string Format, RunConfig Run, long Parameters, IReadOnlyList<string> Ignored, string? Tokenizer)
{
    /// <summary>Whether it came with a chat template, which is kept beside it.</summary>
    public bool HasChatTemplate { get; init; }

    /// <summary>Of the checkpoints, where there are several.</summary>
    public IReadOnlyList<long> Steps { get; init; } = [];
}
