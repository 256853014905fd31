using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Runs;

/// <summary>Says in today's words what a configuration of an older version meant.</summary>
internal static class ConfigUpgrade
{
    /// <summary>Gives keys today's names, whoever wrote the tree.</summary>
    public static void Names(JsonObject tree)
    {
        foreach (JsonObject block in Blocks(tree))
        {
            Rename(block["mixer"] as JsonObject, "convolution", "taps", "conv");
        }
    }

    /// <summary>Changes a tree that names its version; one that names none is taken to be written by hand, today.</summary>
    public static void Apply(JsonObject tree, double version)
    {
        if (version < 2)
        {
            foreach (JsonObject block in Blocks(tree))
            {
                TanhForms(block, "feedForward");
            }
        }

        if (version < 3)
        {
            Before3(tree);
        }
    }

    // The model itself, and the blocks of its pattern.
    private static IEnumerable<JsonObject> Blocks(JsonObject tree) =>
        tree["model"] is JsonObject model ? [model, .. (model["pattern"] as JsonArray)?.OfType<JsonObject>() ?? []] : [];

    // A key of a kind that had another name.
    private static void Rename(JsonObject? record, string kind, string old, string name)
    {
        if (record is not null && ConfigJson.TextOf(record[ConfigJson.Kind]) == kind && record[old] is { } value && !record.ContainsKey(name))
        {
            record.Remove(old);
            record[name] = value;
        }
    }

    // What was not a setting yet, as it was: a run that is taken up trains on the text that it would have drawn, and validates on the same.
    private static void Before3(JsonObject tree)
    {
        if (tree["data"] is not JsonObject data)
        {
            tree["data"] = data = [];
        }

        data.TryAdd("draws", JsonValue.Create("micro-batch"));
        data.TryAdd("split", JsonValue.Create("end"));
    }

    // Before version 2 "gelu" and "geglu" were the tanh forms, in mixtures of experts too.
    private static void TanhForms(JsonObject parent, string key)
    {
        if (ConfigJson.TextOf(parent[key]) is "gelu" or "geglu")
        {
            parent[key] = ConfigJson.TextOf(parent[key]) + "-tanh";
        }
        else if (parent[key] is JsonObject record)
        {
            TanhForms(record, ConfigJson.Kind);
            TanhForms(record, "activation");
        }
    }
}
