using System.Reflection;
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

    private static IEnumerable<(ConfigKey Section, ConfigKey Key)> Marked()
        => from section in ConfigSchema.Keys(typeof(RunConfig))
           from key in ConfigSchema.Keys(section.Type)
           where key.Property.IsDefined(typeof(ResumableAttribute))
           select (section, key);
}
