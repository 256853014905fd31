using System.Reflection;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Runs;

/// <summary>The keys marked with <see cref="ResumableAttribute"/>.</summary>
public static class Resumable
{
    /// <summary>As <c>--set</c> names them.</summary>
    public static IReadOnlyList<string> Keys { get; } = [.. Marked().Select(mark => $"{mark.Section.Name}.{mark.Key.Name}")];

    /// <summary>A run's configuration with the resumable keys of another one.</summary>
    public static RunConfig Take(RunConfig run, RunConfig from)
    {
        ConfigTree tree = new ConfigTree().AddJson(run.ToJson(), RunConfig.FileName);
        foreach ((ConfigKey section, ConfigKey key) in Marked())
        {
            object? value = key.Property.GetValue(section.Property.GetValue(from));
            tree.Set($"{section.Name}.{key.Name}", ConfigWriter.ToTree(value, key.Type));
        }

        return tree.Build();
    }

    /// <summary>What a run has, <c>train.batch=12</c>, where another configuration has something else that cannot change on resuming.</summary>
    public static IReadOnlyList<string> Changed(RunConfig run, RunConfig asked)
    {
        asked = Take(FullPaths.Of(asked), run);
        if (asked.Train.Batch == 0)
        {
            asked = (asked with { Train = asked.Train with { Batch = run.Train.Batch } }).Resolve();
        }

        var changed = new List<string>();
        Compare("", JsonNode.Parse(run.ToJson()), JsonNode.Parse(asked.ToJson()), changed);
        return changed;
    }

    private static void Compare(string key, JsonNode? run, JsonNode? asked, List<string> changed)
    {
        if (run is JsonObject before && asked is JsonObject now && before.Count == now.Count && before.All(pair => now.ContainsKey(pair.Key)))
        {
            foreach ((string name, JsonNode? value) in before)
            {
                Compare(ConfigKeys.Join(key, name), value, now[name], changed);
            }
        }
        else if (!JsonNode.DeepEquals(run, asked))
        {
            changed.Add($"{key}={ConfigJson.Show(run)}");
        }
    }

    private static IEnumerable<(ConfigKey Section, ConfigKey Key)> Marked()
        => from section in ConfigSchema.Keys(typeof(RunConfig))
           from key in ConfigSchema.Keys(section.Type)
           where key.Property.IsDefined(typeof(ResumableAttribute))
           select (section, key);
}
