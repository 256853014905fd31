using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Comparisons;

/// <summary>A variant before it is solved.</summary>
internal sealed record Draft(string Name, ConfigOverlay<RunConfig> Changes, RunConfig Config)
{
    /// <summary>All of its settings, to be compared.</summary>
    public string Text { get; } = Config?.ToJson() ?? "";

    /// <summary>Whether nothing but its feed-forward is another.</summary>
    public bool IsFeedForwardOnly => Changes.Tree is { Count: 1 } tree && tree["model"] is JsonObject { Count: > 0 } model && model.All(pair => pair.Key is "feedForward" or "hidden");

    /// <summary>Whether it sets a key, or something below it.</summary>
    public bool Sets(string key) => Sets(Changes, key);

    /// <summary>Whether settings have a key, or something below it.</summary>
    public static bool Sets(ConfigOverlay<RunConfig> settings, string key)
    {
        JsonNode? node = settings.Tree;
        foreach (string part in key.Split('.'))
        {
            if (node is not JsonObject record || !record.TryGetPropertyValue(part, out node))
            {
                return false;
            }
        }

        return true;
    }
}
