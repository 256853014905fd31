using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Measures;

namespace NanoFold.Engine.Runs.Surveys;

/// <summary>The measures of a survey, as they are written: names, kinds or records with their settings.</summary>
public sealed record MeasureChoice : IValidated
{
    /// <summary>What is measured.</summary>
    public IReadOnlyList<Measure> Measures { get; init; } = [];

    /// <summary>Reads a list: <c>all</c>, <c>full</c>, <c>light,gride</c>, or JSON.</summary>
    /// <exception cref="ConfigException">It names what there is not.</exception>
    public static IReadOnlyList<Measure> Parse(string text)
    {
        // A single record is a list of one.
        JsonNode? value = text.TrimStart().StartsWith('{') ? new JsonArray(JsonNode.Parse(text)) : null;
        ConfigTree<MeasureChoice> tree = new();
        return (value is null ? tree.Set($"measures={text}") : tree.Set("measures", value)).Build().Measures;
    }

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate() => Measures.SelectMany((measure, i) => measure.Validate($"measures.{i}"));
}
