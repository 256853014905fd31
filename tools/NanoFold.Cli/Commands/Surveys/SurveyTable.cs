using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Runs.Surveys;

namespace NanoFold.Cli.Commands.Surveys;

/// <summary>What a survey found, as tables of a terminal's width and as JSON.</summary>
internal static class SurveyTable
{
    // Longer tables than this, such as those of all matrices of weights, stand in the file only.
    private const int MostRows = 12;

    public static void Write(Output output, SurveyResult result)
    {
        Measured[] own = [.. result.Latest.Where(pair => pair.Control == SurveyControl.None).Select(pair => pair.Measured)];
        // Of many pairs of checkpoints the farthest.
        string? farthest = own.FirstOrDefault(one => one.Place.Scope == "checkpoints")?.Place.Other;
        GeometryTable.Write(output, [.. own.Where(one => one.Place.Scope != "checkpoints" || one.Place.Other == farthest)], MostRows);
        foreach (WordTable table in result.Words)
        {
            output.Line();
            output.Line(table.Title);
            output.Table(numbers: false, [.. table.Rows.Select(row => row.ToArray())]);
        }

        WriteControls(output, result);
        output.Line($"{result.Data}: {Display.Count(result.Shape.Points)} of {Display.Count(result.Shape.Tokens)} tokens, neighbors of {Display.Count(result.Shape.Neighbors)}; the last of {Display.Count(result.Checkpoints.Count, "checkpoint")}");
        output.Line($"most time: {string.Join(", ", result.Costs.Take(5).Select(cost => $"{cost.Measure} {Display.Number(cost.Seconds, "0.0")} s"))}");
        foreach (IGrouping<string, (string Measure, string Subject)> without in result.Without.GroupBy(one => one.Subject))
        {
            output.Line($"nothing of {string.Join(", ", without.Select(one => one.Measure))}: no {without.Key}");
        }

        output.Line($"{Display.Count(result.Lines, "figure")} in {Path.Combine(result.Folder, "geometry.jsonl")}, arrays in geometry.npz");
    }

    public static JsonObject ToJson(SurveyResult result) => new()
    {
        ["out"] = result.Folder,
        ["files"] = new JsonArray([.. result.Files.Select(file => (JsonNode)file)]),
        ["lines"] = result.Lines,
        ["data"] = result.Data,
        ["tokens"] = result.Shape.Tokens,
        ["measured"] = result.Shape.Points,
        ["checkpoints"] = new JsonArray([.. result.Checkpoints.Select(one => (JsonNode)new JsonObject { ["name"] = one.Name, ["step"] = one.Step, ["seconds"] = one.Seconds })]),
        ["costs"] = new JsonArray([.. result.Costs.Select(one => (JsonNode)new JsonObject { ["measure"] = one.Measure, ["seconds"] = one.Seconds })]),
        ["without"] = new JsonArray([.. result.Without.Select(one => (JsonNode)one.Measure)]),
        ["words"] = new JsonArray([.. result.Words.Select(table => (JsonNode)new JsonObject
        {
            ["title"] = table.Title,
            ["rows"] = new JsonArray([.. table.Rows.Select(row => (JsonNode)new JsonArray([.. row.Select(cell => (JsonNode)cell)]))]),
        })]),
        ["figures"] = new JsonArray([.. result.Latest.SelectMany(pair => pair.Measured.Figures.Select(figure => ToJson(pair.Measured, figure, pair.Control)))]),
    };

    private static JsonNode ToJson(Measured measured, Figure figure, SurveyControl control)
    {
        var json = new JsonObject { ["step"] = measured.Step, ["measure"] = measured.Measure.Kind, ["figure"] = figure.Name, ["point"] = measured.Place.Point };
        if (measured.Place.Layer is { } layer)
        {
            json["layer"] = layer;
        }

        json["value"] = figure.Value;
        json["control"] = control.ToString().ToLowerInvariant();
        return json;
    }

    // Means over layers (heads, pairs, …) of what the tables show, beside those of the controls.
    private static void WriteControls(Output output, SurveyResult result)
    {
        SurveyControl[] controls = [.. result.Latest.Select(pair => pair.Control).Distinct().Order()];
        if (controls.Length < 2)
        {
            return;
        }

        var rows = new List<string[]> { (string[])["mean", .. controls.Select(control => control == SurveyControl.None ? "model" : control.ToString().ToLowerInvariant())] };
        foreach (IGrouping<Measure, (Measured Measured, SurveyControl Control)> group in result.Latest.GroupBy(pair => pair.Measured.Measure))
        {
            string[] names = [.. group.SelectMany(pair => pair.Measured.Figures).Select(figure => figure.Name).Distinct()];
            foreach (FigureColumn column in group.Key.Columns.SelectMany(column => column.Of(names)))
            {
                double?[] means = [.. controls.Select(control => Mean(group.Where(pair => pair.Control == control), column.Figure))];
                if (means.Count(mean => mean is not null) > 1)
                {
                    rows.Add([$"{group.Key.Kind} {column.Head}", .. means.Select(mean => mean is { } value ? Display.Number(value * column.Factor, column.Format) : "–")]);
                }
            }
        }

        // Nothing is known of a control beside the model: a heading alone says nothing.
        if (rows.Count > 1)
        {
            output.Line();
            output.Table(numbers: true, rows);
        }

        output.Line();
    }

    private static double? Mean(IEnumerable<(Measured Measured, SurveyControl Control)> of, string figure)
    {
        double[] values = [.. of.SelectMany(pair => pair.Measured.Figures).Where(one => one.Name == figure && one.Value is not null).Select(one => one.Value!.Value)];
        return values.Length > 0 ? values.Average() : null;
    }
}
