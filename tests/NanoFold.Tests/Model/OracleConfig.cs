using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Model;

/// <summary>Reads the <c>config</c> entry of a reference case as a configuration: kinds by their names, their options by the names of settings.</summary>
internal static class OracleConfig
{
    private static readonly string[] s_shape = ["layers", "width", "heads", "kvHeads", "context", "hidden", "qkNorm", "tied", "ropeBase", "position"];

    // Options that the older cases name beside the shape.
    private static readonly string[] s_mixerKeys = ["window", "sinks", "topK"];
    private static readonly string[] s_feedForwardKeys =
    [
        "experts", "active", "shared", "activation", "routing", "balanceLoss", "zLoss", "renormalize", "routeScale", "groups", "activeGroups", "denseLayers", "denseHidden",
    ];

    /// <summary>The model that a case describes.</summary>
    /// <exception cref="Engine.UserException">It has a kind or an option that the engine does not know; the message names it.</exception>
    public static ModelConfig Read(JsonElement config)
    {
        var tree = new ConfigTree().Set("tokenizer=byte").Set("model.normEpsilon", Node(config.GetProperty("eps")));
        foreach (string key in s_shape)
        {
            if (config.TryGetProperty(key, out JsonElement value))
            {
                tree.Set($"model.{key}", Node(value));
            }
        }

        if (config.TryGetProperty("pattern", out JsonElement pattern) && pattern.ValueKind == JsonValueKind.Array)
        {
            tree.Set("model.pattern", new JsonArray([.. pattern.EnumerateArray().Select(kind => new JsonObject { ["mixer"] = Mixer(config, kind.GetString()!) })]));
        }
        else
        {
            tree.Set("model.mixer", Mixer(config, config.GetProperty("mixer").GetString()!));
        }

        tree.Set("model.feedForward", Part<FeedForwardConfig>(config, config.GetProperty("feedForward").GetString()!, "feedForwardOptions", s_feedForwardKeys));
        if (config.TryGetProperty("residual", out JsonElement residual))
        {
            tree.Set("model.residual", Part<ResidualConfig>(config, residual.GetString()!, "residualOptions", []));
        }

        return tree.Build().Model with { Vocab = config.GetProperty("vocab").GetInt32() };
    }

    private static JsonObject Mixer(JsonElement config, string kind)
    {
        JsonObject mixer = Part<MixerConfig>(config, kind, "mixerOptions", s_mixerKeys);
        if (config.TryGetProperty("gate", out JsonElement gate) && gate.GetString() is { Length: > 3 } text)
        {
            (mixer["gate"], mixer["granularity"]) = (text[..2], text[3..]);
        }

        return mixer;
    }

    // Where layers differ each kind takes the options that it has; a lone kind has to know them all.
    private static JsonObject Part<TConfig>(JsonElement config, string kind, string options, string[] besides)
    {
        var part = new JsonObject { ["kind"] = kind };
        string[] known = [.. Variant.Of<TConfig>().FirstOrDefault(v => v.Kind == kind)?.Type.GetProperties().Select(p => JsonNamingPolicy.CamelCase.ConvertName(p.Name)) ?? []];
        bool isLone = !config.TryGetProperty("pattern", out JsonElement pattern) || pattern.ValueKind != JsonValueKind.Array;
        foreach (string key in besides.Where(known.Contains))
        {
            if (config.TryGetProperty(key, out JsonElement value))
            {
                part[key] = Node(value);
            }
        }

        if (config.TryGetProperty(options, out JsonElement given))
        {
            JsonElement own = given.TryGetProperty(kind, out JsonElement ofKind) && ofKind.ValueKind == JsonValueKind.Object ? ofKind : given;
            foreach (JsonProperty option in own.EnumerateObject().Where(option => isLone || known.Contains(option.Name)))
            {
                part[option.Name] = Node(option.Value);
            }
        }

        return part;
    }

    private static JsonNode? Node(JsonElement value) => JsonNode.Parse(value.GetRawText());
}
