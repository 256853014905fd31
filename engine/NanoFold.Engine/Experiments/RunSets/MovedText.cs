using System.Text.Json.Nodes;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments;

/// <summary>
/// A text that has moved, or lies elsewhere on another machine: where it is does not make a set of runs another one. Whether it is the same text is decided by the hash of its content, which the
/// checkpoints of runs keep.
/// </summary>
internal static class MovedText
{
    private const string Text = "data.path", Validation = "data.validation";

    /// <summary>Whether a setting says where a text is, in both of two configurations.</summary>
    public static bool IsPlace(string key, JsonNode? before, JsonNode? now) => key is Text or Validation && before is not null && now is not null;

    /// <summary>A run that was begun, its text where it is now; null where that has not moved.</summary>
    /// <param name="begun">The run's configuration.</param>
    /// <param name="asked">What its set says now.</param>
    public static RunConfig? Follow(RunConfig begun, RunConfig asked) => FullPaths.Of(asked.Data) is var now && IsSamePlace(begun.Data, now)
        ? null
        : begun with { Data = begun.Data with { Path = now.Path, Validation = now.Validation } };

    /// <summary>What is another text than the one that runs of a set were trained on, in words; nothing where none has moved, or none was trained on.</summary>
    /// <param name="folder">Of the set.</param>
    /// <param name="runs">Names of runs, with their text as it was named before and as it is named now.</param>
    /// <exception cref="UserException">A text, or what a run has saved, cannot be read.</exception>
    public static IEnumerable<string> Differences(string folder, IEnumerable<(IEnumerable<string> Names, RunConfig Before, RunConfig Now)> runs)
    {
        var hashes = new Dictionary<DataConfig, string>();
        foreach ((IEnumerable<string> names, RunConfig before, RunConfig now) in runs.Where(each => each.Now.Task.IsText && !IsSamePlace(each.Before.Data, each.Now.Data)))
        {
            if (!hashes.TryGetValue(now.Data, out string? hash))
            {
                hashes[now.Data] = hash = HashOf(now.Data);
            }

            if (names.Select(name => RunSet.FolderOf(folder, name)).Any(run => TrainedOn(run) is { } trained && trained != hash))
            {
                yield return before.Data.Path == now.Data.Path ? $"{Validation} = {ConfigJson.Show(before.Data.Validation)}, which is another text" : $"{Text} = {ConfigJson.Show(before.Data.Path)}, which is another text";
                yield break;
            }
        }
    }

    private static bool IsSamePlace(DataConfig one, DataConfig other) => one.Path == other.Path && one.Validation == other.Validation;

    private static string HashOf(DataConfig data)
    {
        using Corpus corpus = Corpus.OpenOrDefault(data.Path, data.Reading);
        using Corpus? validation = data.Validation is { } path ? Corpus.Open(path, data.Reading with { RequiresField = false }) : null;
        return new TokenCache().ContentHash(corpus, validation);
    }

    // Null where a run has not been trained.
    private static string? TrainedOn(string run) => new CheckpointFolder(Path.Combine(run, RunFolder.CheckpointsFolder)).Newest() is { } checkpoint ? TrainState.Load(checkpoint.Path).ContentHash : null;
}
