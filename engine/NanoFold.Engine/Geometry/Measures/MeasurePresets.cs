using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>Lists of measures that have a name.</summary>
public static class MeasurePresets
{
    /// <summary>What is measured where nothing else is asked for.</summary>
    public const string Light = "light";

    /// <summary>Everything that can be measured while a model trains: tiers 0 to 2.</summary>
    public const string Full = "full";

    /// <summary>Nothing.</summary>
    public const string None = "none";

    /// <summary>Everything, what is measured after training only with it, and layers compared all with all.</summary>
    public const string Every = "all";

    /// <summary>Every kind with its own settings, those of programs besides this one too.</summary>
    public static IReadOnlyList<Measure> All => [.. Variant.Of<Measure>().Select(variant => (Measure)Activator.CreateInstance(variant.Type)!)];

    /// <summary>The measures of a name, or null.</summary>
    public static IReadOnlyList<Measure>? Find(string name) => name switch
    {
        Light => Measure.Defaults,
        Full => [.. All.Where(measure => measure.Tier < Measure.Offline)],
        None => [],
        Every => All,
        _ => null,
    };
}

/// <summary>Lists of measures by name: <c>light</c>, <c>full</c>, <c>none</c> and, after training, <c>all</c>; alone or with kinds after commas.</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class MeasureTextAttribute : ListTextAttribute
{
    /// <inheritdoc/>
    public override JsonArray? Parse(string text, out string problem)
    {
        problem = "";
        return new([.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .SelectMany(name => MeasurePresets.Find(name) is { } preset ? preset.Select(measure => (measure.Kind, IsOfAllPairs: name == MeasurePresets.Every && measure is PairMeasure)) : [(name, false)])
            .DistinctBy(measure => measure.Kind).Select(measure => measure.IsOfAllPairs ? OfAllPairs(measure.Kind) : measure.Kind)]);
    }

    private static JsonNode OfAllPairs(string kind) => new JsonObject { [ConfigJson.Kind] = kind, ["allPairs"] = true };
}
