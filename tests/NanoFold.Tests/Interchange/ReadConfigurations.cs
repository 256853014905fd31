using System.Text.Json.Nodes;
using NanoFold.Engine.Interchange.HuggingFace;
using NanoFold.Engine.Model;
using PublishedArchitecture = NanoFold.Engine.Interchange.HuggingFace.Architectures.Architecture;

namespace NanoFold.Tests.Interchange;

/// <summary>Configurations as transformers writes them, as models of ours.</summary>
internal static class ReadConfigurations
{
    /// <summary>The model that keys mean, none of which is left unread.</summary>
    /// <param name="keys">In JSON.</param>
    /// <param name="changed">Further ones, or others in their place; values in JSON.</param>
    public static ModelConfig Read(string keys, params IEnumerable<(string Key, string Value)> changed)
    {
        JsonObject all = JsonNode.Parse(keys)!.AsObject();
        foreach ((string key, string value) in changed)
        {
            all[key] = JsonNode.Parse(value);
        }

        var config = new ForeignConfig("config.json", all);
        ModelConfig model = PublishedArchitecture.Of(config).Read(config);
        Assert.That(config.LeftOver(), Is.Empty);
        return model;
    }

    /// <summary>Why a model of ours has no place in files of an architecture, or null.</summary>
    public static string? WhyNot(string type, ModelConfig model) => PublishedArchitecture.All.Single(architecture => architecture.Name == type).WhyNot(model.Resolve());
}
