using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>
/// The folder of a comparison. The same comparison goes on in it; one with more variants, seeds or rates takes what is there and adds to it; any other is refused.
/// </summary>
public static class ComparisonFolder
{
    private const int MostNamed = 4;

    // What follows from the rest, and what is only about which runs there are.
    private static readonly string[] s_open = ["seeds", "variants", "learningRates", "weightDecays", "reference"];

    /// <summary>Writes the comparison into a folder, where it goes on from then on.</summary>
    /// <exception cref="UserException">The folder holds another one, or cannot be written.</exception>
    public static void Take(string folder, Comparison comparison)
    {
        SetFolder.RequireOwnOrEmpty(folder, Comparison.FileName, "comparison");
        SetFolder.Locked(folder, () => Write(folder, comparison));
    }

    /// <summary>Takes the first folder of a name, its name followed by a number if need be, that is not there or holds this comparison; returns it.</summary>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static string TakeUnused(string path, Comparison comparison)
    {
        for (int i = 1; ; i++)
        {
            string folder = i == 1 ? path : FormattableString.Invariant($"{path}-{i}");
            if (IsFree(folder, comparison) && SetFolder.Locked(folder, () =>
                {
                    // Another process may have been faster.
                    bool isFree = IsFree(folder, comparison);
                    if (isFree)
                    {
                        Write(folder, comparison);
                    }

                    return isFree;
                }))
            {
                return folder;
            }
        }
    }

    private static bool IsFree(string folder, Comparison comparison)
        => File.Exists(Path.Combine(folder, Comparison.FileName)) ? IsSame(folder, comparison) : SetFolder.IsEmpty(folder, Comparison.FileName);

    private static void Write(string folder, Comparison comparison)
    {
        if (File.Exists(Path.Combine(folder, Comparison.FileName)))
        {
            string[] others = [.. Differences(Comparison.Load(folder), comparison)];
            if (others.Length > 0)
            {
                throw new UserException($"{folder}: holds another comparison, with {string.Join(", ", others.Take(MostNamed))}{(others.Length > MostNamed ? " and more" : "")}; give that, or name another folder with --out");
            }
        }
        else
        {
            SetFolder.RequireOwnOrEmpty(folder, Comparison.FileName, "comparison");
        }

        try
        {
            Directory.CreateDirectory(Path.Combine(folder, RunSet.RunsFolder));
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot create", folder, e);
        }

        OutputFile.Write(Path.Combine(folder, Comparison.FileName), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(comparison.ToJson())));
    }

    /// <summary>What a comparison that was begun has and another one does not: in words, each such as <c>seeds = 1, 2, 3</c>.</summary>
    public static IEnumerable<string> Differences(Comparison begun, Comparison asked)
    {
        JsonObject before = Tree(begun), now = Tree(asked);
        foreach ((string key, JsonNode? value) in before.Where(pair => !s_open.Contains(pair.Key)))
        {
            if (!JsonNode.DeepEquals(value, now[key]))
            {
                yield return $"{key} = {ConfigJson.Show(value)}";
            }
        }

        if (begun.Seeds[0] != asked.Seeds[0] || begun.Seeds.Except(asked.Seeds).Any())
        {
            yield return $"seeds {string.Join(", ", begun.Seeds)}";
        }

        // A rate that is not tried any more may be the one that seeds were trained at.
        if (begun.Searches != asked.Searches || begun.Points.Except(asked.Points).Any())
        {
            yield return begun.Points is [{ LearningRate: null, WeightDecay: null }] ? "the rates of its settings" : $"the rates {string.Join("; ", begun.Points)}";
        }

        foreach (ComparedVariant variant in begun.Variants)
        {
            if (asked.Variants.FirstOrDefault(other => other.Name == variant.Name) is not { } other)
            {
                yield return $"variant \"{variant.Name}\"";
                continue;
            }

            JsonObject settings = variant.Settings.Tree, others = other.Settings.Tree;
            foreach (string change in Changed("", settings, others).Take(3))
            {
                yield return $"{variant.Name}: {change}";
            }
        }
    }

    private static bool IsSame(string folder, Comparison comparison)
    {
        try
        {
            return !Differences(Comparison.Load(folder), comparison).Any();
        }
        catch (UserException)
        {
            return false;
        }
    }

    private static IEnumerable<string> Changed(string key, JsonNode? before, JsonNode? now)
        => before is JsonObject record && now is JsonObject other
            ? record.SelectMany(pair => Changed(ConfigKeys.Join(key, pair.Key), pair.Value, other[pair.Key]))
            // Which of the seeds is the first is no setting of a variant.
            : JsonNode.DeepEquals(before, now) || key == "train.seed" ? [] : [$"{key} = {ConfigJson.Show(before)}"];

    private static JsonObject Tree(Comparison comparison) => (JsonObject)JsonNode.Parse(comparison.ToJson())!;
}
