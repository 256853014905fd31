using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>The last figures of <c>geometry.jsonl</c> of some runs that belong to a layer and to neither a head nor a stream: their mean over the runs.</summary>
internal static class GeometryReader
{
    /// <param name="folders">Of runs that have ended.</param>
    public static IReadOnlyList<GeometryResult> Read(IEnumerable<string> folders)
        => [.. folders.SelectMany(Last).GroupBy(figure => (figure.Measure, figure.Point, figure.Layer, figure.Name)).Select(MeanOf).OrderBy(g => g.Measure, StringComparer.Ordinal).ThenBy(g => g.Figure, StringComparer.Ordinal).ThenBy(g => g.Layer)];

    private static GeometryResult MeanOf(IGrouping<(string Measure, string Point, int Layer, string Name), LayerFigure> group)
    {
        SampleSummary summary = SampleSummary.Of([.. group.Select(figure => figure.Value)]);
        return new GeometryResult(group.Key.Measure, group.Key.Name, group.Key.Point, group.Key.Layer, summary.Mean, summary.StandardDeviation, summary.Count);
    }

    // Measures are taken as time allows, so the last step of one is not that of another.
    private static IEnumerable<LayerFigure> Last(string folder)
    {
        string path = Path.Combine(folder, RunFolder.GeometryFile);
        var last = new Dictionary<(string, string, int), JsonElement>();
        foreach (JsonElement line in File.Exists(path) ? JsonLinesLog.Read(path) : [])
        {
            if (!line.TryGetProperty("head", out _) && !line.TryGetProperty("stream", out _) && !line.TryGetProperty("other", out _)
                && line.TryGetProperty("layer", out JsonElement layer) && layer.TryGetInt32(out int number) && Text(line, "measure") is { } measure && Text(line, "point") is { } point)
            {
                last[(measure, point, number)] = line;
            }
        }

        return from line in last
               where line.Value.TryGetProperty("figures", out JsonElement figures) && figures.ValueKind == JsonValueKind.Object
               from figure in line.Value.GetProperty("figures").EnumerateObject()
               where figure.Value.ValueKind == JsonValueKind.Object && figure.Value.TryGetProperty("value", out JsonElement value) && value.ValueKind == JsonValueKind.Number
               select new LayerFigure(line.Key.Item1, line.Key.Item2, line.Key.Item3, figure.Name, figure.Value.GetProperty("value").GetDouble());
    }

    private static string? Text(JsonElement line, string key) => line.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private readonly record struct LayerFigure(string Measure, string Point, int Layer, string Name, double Value);
}
