using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>Every variant with each of some values: <c>{ "model.width": [32, 64, 128] }</c> makes of <c>gru</c> the variants <c>gru width=32</c>, <c>gru width=64</c> and <c>gru width=128</c>.</summary>
internal static class VariantGrid
{
    /// <summary>A comparison of the variants of another one at every point of its grid.</summary>
    public static ComparisonFile Expand(ComparisonFile file, List<ConfigProblem> problems)
    {
        (string Path, JsonArray Values)[] axes = [.. Axes("", file.Grid.Tree, file, problems)];
        if (axes.Length == 0)
        {
            return file;
        }

        var variants = new OrderedDictionary<string, ConfigOverlay<RunConfig>>();
        var ofFile = new ConfigPlaces();
        ofFile.Add(file.Places);
        foreach ((string name, ConfigOverlay<RunConfig> changes) in file.Variants)
        {
            foreach ((string point, JsonObject settings) in Points(axes))
            {
                var tree = (JsonObject)changes.Tree.DeepClone();
                ConfigMerge.Apply(tree, settings, typeof(RunConfig));
                var places = new ConfigPlaces();
                places.Add(changes.Places);
                foreach ((string path, _) in axes)
                {
                    places.Add(file.Grid.Places.At(path, path));
                }

                variants[name + point] = ConfigOverlay<RunConfig>.Of(tree, places);
                ofFile.Add(file.Places.At($"variants.{name}", $"variants.{name}{point}"));
            }
        }

        return file with { Variants = variants, Places = ofFile };
    }

    /// <summary>A problem of a variant by where it is written: in the grid, which all variants share, or in the variant.</summary>
    public static ConfigProblem Named(ComparisonFile file, string variant, ConfigProblem problem)
        => problem with { Path = IsAxis(file, problem.Path) ? $"grid.{problem.Path}" : $"variants.{variant}.{problem.Path}" };

    private static bool IsAxis(ComparisonFile file, string path)
    {
        JsonNode? node = file.Grid.Tree;
        foreach (string part in path.Split('.'))
        {
            node = (node as JsonObject)?[part];
        }

        return node is JsonArray;
    }

    // The lists of values, by their dotted keys.
    private static IEnumerable<(string Path, JsonArray Values)> Axes(string path, JsonNode? node, ComparisonFile file, List<ConfigProblem> problems)
    {
        if (node is JsonObject record)
        {
            return record.SelectMany(pair => Axes(ConfigKeys.Join(path, pair.Key), pair.Value, file, problems)).ToArray();
        }

        if (node is JsonArray { Count: > 0 } values)
        {
            return [(path, values)];
        }

        problems.Add(file.Grid.Places.Locate(new ConfigProblem(path, $"expected a list of values, got {ConfigJson.Show(node)}")) with { Path = $"grid.{path}" });
        return [];
    }

    private static IEnumerable<(string Name, JsonObject Settings)> Points(IReadOnlyList<(string Path, JsonArray Values)> axes)
    {
        IEnumerable<(string Name, JsonObject Settings)> points = [("", [])];
        foreach ((string path, JsonArray values) in axes)
        {
            points = [.. from point in points from value in values select (point.Name + Name(path, value), With(point.Settings, path, value))];
        }

        return points;
    }

    /// <summary>What the name of a variant ends with at a value: <c> width=32</c>.</summary>
    internal static string Name(string path, JsonNode? value) => $" {path[(path.LastIndexOf('.') + 1)..]}={TextOf(value)}";

    /// <summary>A value in the name of a variant.</summary>
    internal static string TextOf(JsonNode? value) => ConfigJson.TextOf(value) ?? ConfigJson.Show(value);

    private static JsonObject With(JsonObject settings, string path, JsonNode? value)
    {
        var tree = (JsonObject)settings.DeepClone();
        ConfigMerge.Apply(tree, ComparisonTree.Nested(path, value), typeof(RunConfig));
        return tree;
    }
}
