using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Runs;

/// <summary>Says in today's words what a configuration of an older version meant.</summary>
internal static class ConfigUpgrade
{
    /// <summary>Changes a tree that names its version; one that names none is taken to be written by hand, today.</summary>
    public static void Apply(JsonObject tree, double version)
    {
        if (version < 2 && tree["model"] is JsonObject model)
        {
            TanhForms(model, "feedForward");
            foreach (JsonObject block in (model["pattern"] as JsonArray)?.OfType<JsonObject>() ?? [])
            {
                TanhForms(block, "feedForward");
            }
        }

        if (version < 3)
        {
            Before3(tree);
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
