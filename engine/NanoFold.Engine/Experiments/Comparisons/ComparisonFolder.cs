using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>
/// The folder of a comparison. The same comparison goes on in it; one with more variants, seeds or rates takes what is there and adds to it; any other is refused.
/// </summary>
public static class ComparisonFolder
{
    // What follows from the rest, and what is only about which runs there are.
    private static readonly string[] s_open = ["seeds", "variants", "learningRates", "weightDecays", "reference"];

    /// <inheritdoc cref="SetFolder.Take"/>
    public static void Take(string folder, Comparison comparison) => SetFolder.Take(folder, FileOf(comparison));

    /// <inheritdoc cref="SetFolder.TakeUnused"/>
    public static string TakeUnused(string path, Comparison comparison) => SetFolder.TakeUnused(path, FileOf(comparison));

    /// <summary>What <see cref="SetFolder"/> asks of a comparison.</summary>
    public static SetFile FileOf(Comparison comparison) => new(Comparison.FileName, "comparison", comparison.ToJson(), folder =>
    {
        var begun = Comparison.Load(folder);
        string[] others = [.. Differences(begun, comparison)];
        return others.Length > 0
            ? others
            : MovedText.Differences(folder, begun.Variants.Select(variant => (NamesOf(begun, variant), variant.Resolve(), comparison.Variants.First(other => other.Name == variant.Name).Resolve())));
    });

    /// <summary>What a comparison that was begun has and another one does not: in words, each such as <c>seeds = 1, 2, 3</c>. Where a text is makes no difference.</summary>
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

    private static IEnumerable<string> NamesOf(Comparison comparison, ComparedVariant variant)
        => comparison.Search(variant).Concat(comparison.Points.SelectMany(point => comparison.Final(variant, point))).Select(run => run.Name).Distinct();

    private static IEnumerable<string> Changed(string key, JsonNode? before, JsonNode? now)
        => before is JsonObject record && now is JsonObject other
            ? record.SelectMany(pair => Changed(ConfigKeys.Join(key, pair.Key), pair.Value, other[pair.Key]))
            // Which of the seeds is the first is no setting of a variant.
            : JsonNode.DeepEquals(before, now) || key == "train.seed" || MovedText.IsPlace(key, before, now) ? [] : [$"{key} = {ConfigJson.Show(before)}"];

    private static JsonObject Tree(Comparison comparison) => (JsonObject)JsonNode.Parse(comparison.ToJson())!;
}
