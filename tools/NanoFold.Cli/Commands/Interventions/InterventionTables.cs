using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Runs.Interventions;

namespace NanoFold.Cli.Commands.Interventions;

/// <summary>What interventions changed, as tables and as JSON.</summary>
internal static class InterventionTables
{
    /// <summary>Writes one.</summary>
    public static void Show(Output output, InterventionResult result, string? prompt)
    {
        output.Line(Title(result, prompt));
        bool compares = result.Edited.Divergence is not null;
        string[] Row(string name, double? loss, string change, string divergence) => [name, loss is { } value ? Display.Figure(value) : "", change, .. compares ? [divergence] : Array.Empty<string>()];
        Spread loss = Of(result, o => o.Loss);
        output.Table(
            numbers: true,
            Row("", null, "change", "KL").Select((cell, i) => i == 1 ? $"loss ({result.Unit})" : cell).ToArray(),
            Row("unedited", result.Plain.Loss, "", ""),
            Row("edited", result.Edited.Loss, Change(loss.Edited), Figure(result.Edited.Divergence)),
            Row($"random, {result.Controls.Count} of equal size", result.Controls.Count > 0 ? result.Controls.Average(o => o.Loss) : null, loss.Text, result.Controls.Count > 0 ? Figure(result.Controls.Average(o => o.Divergence)) : ""));
        TellCompared(output, result, prompt);
        if (result.Tokens.Count > 0)
        {
            output.Line();
            output.Line(prompt is null ? "probability of tokens, mean over these places" : "probability of the next token");
            output.Table(numbers: true,
            [
                ["token", "unedited", "edited", "change", "random"],
                .. result.Tokens.Select((token, i) => (string[])
                    [Quoted(token.Text), Display.Figure(result.Plain.Probabilities[i]), Display.Figure(result.Edited.Probabilities[i]), Change(Of(result, o => o.Probabilities[i]).Edited), Of(result, o => o.Probabilities[i]).Text]),
            ]);
        }
    }

    /// <summary>Writes those of single points: a line each.</summary>
    public static void Show(Output output, IReadOnlyList<EditedPoint> points, string? prompt)
    {
        InterventionResult first = points[0].Result;
        output.Line(Title(first, prompt));
        output.Line($"unedited: {Display.Figure(first.Plain.Loss ?? double.NaN)} {first.Unit}");
        bool several = points.Select(point => point.Edit).Distinct().Count() > 1, compares = first.Edited.Divergence is not null;
        output.Table(numbers: true,
        [
            ["point", "change", $"random ({first.Controls.Count})", .. compares ? ["KL", "random"] : Array.Empty<string>()],
            .. points.Select(point =>
            {
                Spread loss = Of(point.Result, o => o.Loss);
                string divergence = point.Result.Controls.Count > 0 ? Figure(point.Result.Controls.Average(o => o.Divergence)) : "";
                return (string[])[several ? $"{point.Edit}: {point.Point}" : point.Point, Change(loss.Edited), loss.Text, .. compares ? [Figure(point.Result.Edited.Divergence), divergence] : Array.Empty<string>()];
            }),
        ]);
        TellCompared(output, first, prompt);
    }

    /// <summary>Those of single points.</summary>
    public static JsonObject ToJson(IReadOnlyList<EditedPoint> points, string? prompt)
    {
        InterventionResult first = points[0].Result;
        return new JsonObject
        {
            ["data"] = first.Data,
            ["prompt"] = prompt,
            ["rows"] = first.Rows,
            ["places"] = first.Places,
            ["unit"] = first.Unit,
            ["points"] = new JsonArray([.. points.Select(point =>
            {
                JsonObject whole = ToJson(point.Result, prompt), own = new() { ["edit"] = point.Edit, ["point"] = point.Point };
                foreach (string key in new[] { "loss", "divergence", "tokens" })
                {
                    own[key] = whole[key]!.DeepClone();
                }

                return (JsonNode)own;
            })]),
        };
    }

    /// <summary>One of them.</summary>
    public static JsonObject ToJson(InterventionResult result, string? prompt)
    {
        JsonObject Spread(Func<Outcome, double?> figure)
        {
            Spread spread = Of(result, figure);
            return new JsonObject
            {
                ["plain"] = figure(result.Plain), ["edited"] = figure(result.Edited), ["change"] = spread.Edited,
                ["controls"] = new JsonArray([.. result.Controls.Select(o => (JsonNode?)figure(o))]), ["controlChange"] = spread.Mean, ["controlDeviation"] = spread.Deviation,
            };
        }

        return new JsonObject
        {
            ["data"] = result.Data,
            ["prompt"] = prompt,
            ["rows"] = result.Rows,
            ["places"] = result.Places,
            ["unit"] = result.Unit,
            ["loss"] = Spread(o => o.Loss),
            ["divergence"] = new JsonObject { ["places"] = result.ComparedPlaces, ["edited"] = result.Edited.Divergence, ["controls"] = new JsonArray([.. result.Controls.Select(o => (JsonNode?)o.Divergence)]) },
            ["tokens"] = new JsonArray([.. result.Tokens.Select((token, i) =>
            {
                JsonObject one = Spread(o => o.Probabilities[i]);
                one.Insert(0, "id", token.Id);
                one.Insert(1, "text", token.Text);
                return (JsonNode)one;
            })]),
        };
    }

    private static string Title(InterventionResult result, string? prompt) => prompt is null
        ? $"{result.Data}: {Display.Count(result.Rows, "row")}, {Display.Count(result.Places, "place")} with a target"
        : $"the prompt {Quoted(prompt)}: {Display.Count(result.Places + 1, "token")}";

    private static void TellCompared(Output output, InterventionResult result, string? prompt)
    {
        if (prompt is null && result.Edited.Divergence is not null && result.ComparedPlaces < result.Places)
        {
            output.Line($"KL is the mean over the first {Display.Count(result.ComparedPlaces, "place")}: there is no room to keep more distributions");
        }
    }

    // Changes of a figure from the unedited run.
    private static Spread Of(InterventionResult result, Func<Outcome, double?> figure)
    {
        double?[] changes = [.. result.Controls.Select(o => figure(o) - figure(result.Plain))];
        double? mean = changes.Length > 0 ? changes.Average() : null;
        double? deviation = changes.Length > 1 && mean is { } m ? Math.Sqrt(changes.Sum(c => (c!.Value - m) * (c.Value - m)) / (changes.Length - 1)) : null;
        return new Spread(figure(result.Edited) - figure(result.Plain), mean, deviation);
    }

    private static string Quoted(string text) => $"'{new string([.. text.Select(letter => char.IsControl(letter) ? '·' : letter)])}'";

    private static string Figure(double? value) => value is { } known ? Display.Figure(known) : "";

    private static string Change(double? value) => value is { } known ? Display.Signed(known) : "";

    private readonly record struct Spread(double? Edited, double? Mean, double? Deviation)
    {
        public string Text => Mean is not { } mean ? "" : Deviation is { } deviation ? $"{Display.Signed(mean)} ± {Display.Figure(deviation)}" : Display.Signed(mean);
    }
}
