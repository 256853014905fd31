using System.Text.Json;

namespace NanoFold.Reports.Runs;

/// <summary>A figure of <c>geometry.jsonl</c>.</summary>
/// <param name="Step">Steps that the model had taken.</param>
/// <param name="Measure">The kind of measure.</param>
/// <param name="Scope">What it is of: a point, a block, a head …</param>
/// <param name="Point">The point's name.</param>
/// <param name="Layer">From 0; null for none.</param>
/// <param name="Head">From 0; null for none.</param>
/// <param name="Figure">Its name.</param>
/// <param name="Value">A number.</param>
/// <param name="Error">Its standard error; null for none.</param>
internal sealed record GeometryPoint(long Step, string Measure, string Scope, string Point, int? Layer, int? Head, string Figure, double Value, double? Error)
{
    private const string NoControl = "none";

    /// <summary>The second point of a pair, or the checkpoint that is compared with; empty for none.</summary>
    public string Other { get; init; } = "";

    /// <summary>What was measured in place of the model on its tokens: <c>untrained</c>, <c>shuffled</c>, <c>gaussian</c>; empty for these.</summary>
    public string Control { get; init; } = "";

    /// <summary>How it was estimated.</summary>
    public string Estimator { get; init; } = "";

    /// <summary>N; null where the line does not say.</summary>
    public long? Count { get; init; }

    /// <summary>The figures of a line that have a value: of a measure while a model trains, or of one figure after training.</summary>
    public static IEnumerable<GeometryPoint> Of(JsonElement line)
    {
        string Text(JsonElement of, string key) => of.TryGetProperty(key, out JsonElement element) && element.ValueKind == JsonValueKind.String ? string.Intern(element.GetString()!) : "";
        int? Whole(string key) => RunRecord.Number(line, key) is { } value ? (int)value : null;
        IEnumerable<GeometryPoint> Made(string name, JsonElement figure, string estimator, string count) => RunRecord.Number(figure, "value") is not { } value ? [] :
        [
            new GeometryPoint((long)(RunRecord.Number(line, "step") ?? 0), Text(line, "measure"), Text(line, "scope"), Text(line, "point"), Whole("layer"), Whole("head"), name, value, RunRecord.Number(figure, "error"))
            {
                Other = Text(line, "other"), Control = Text(line, "control") is var control && control != NoControl ? control : "",
                Estimator = Text(figure, estimator), Count = (long?)RunRecord.Number(figure, count),
            },
        ];
        return Text(line, "figure") is { Length: > 0 } one ? Made(one, line, "settings", "n")
            : !line.TryGetProperty("figures", out JsonElement figures) || figures.ValueKind != JsonValueKind.Object ? []
            : figures.EnumerateObject().Where(figure => figure.Value.ValueKind == JsonValueKind.Object).SelectMany(figure => Made(string.Intern(figure.Name), figure.Value, "estimator", "points"));
    }
}
