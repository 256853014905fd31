using System.Text.Json;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Geometry;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>The page of one run.</summary>
internal static class RunPage
{
    /// <param name="run">The run.</param>
    /// <param name="command">Makes the page again.</param>
    public static ReportPage Of(RunRecord run, string command)
    {
        var page = new ReportPage(run.Name) { Kind = "run", Command = command, Lead = Lead(run), Facts = [.. Facts(run)] };
        Training(run, page.Section("Training", "Training losses are means over the steps between two points. Choose what they stand against."));
        page.Section("Scores").Add(Scores(run));
        page.Section("Where it is right", "The held-back targets told apart, and rows longer than in training.").Add(DetailFigures.Of(run));
        GeometryPage.Add(page, RunGeometry.Of(run), run);

        ReportSection samples = page.Section("Samples", "What the model wrote at the time, the same draws every time.");
        // A line without a text is damaged, and passed over like one that is no JSON.
        JsonElement[] whole = [.. run.Samples.Where(line => line.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String)];
        if (whole.Length > 0)
        {
            samples.Add(new Samples([.. whole.Select(line => ($"after {Display.Count(RunRecord.Number(line, "step") ?? 0)} steps", Text(line, "prompt") + Text(line, "text")))]));
        }

        page.Section("Settings").Add(SettingsTables.All(run));
        string[] measures = [.. page.Figures.SelectMany(figure => figure.Measures).Distinct()];
        if (measures.Length > 0)
        {
            page.Section("Definitions", "What the measures on this page are, as `docs/measures.md` has it: x is a token's value after a block, N the number of tokens.").Add(new Definitions(measures));
        }

        return page;
    }

    /// <summary>What a model is, in a line.</summary>
    public static string Model(RunRecord run)
    {
        if (run.Config is not { } config)
        {
            return "a model with kinds of another program";
        }

        IReadOnlyList<LayerConfig> layers = config.Model.LayerConfigs();
        string kinds = string.Join(", ", layers.GroupBy(layer => (Mixer: Kind(layer.Mixer), FeedForward: Kind(layer.FeedForward)))
            .Select(group => $"{group.Count()} × {group.Key.Mixer} + {group.Key.FeedForward}"));
        return $"{kinds}; width {config.Model.Width}, context {config.Model.Context}";
    }

    private static string Kind<TConfig>(TConfig config)
        where TConfig : class
        => Variant.Of<TConfig>().First(variant => variant.Type == config.GetType()).Kind;

    private static string Text(JsonElement line, string key) => line.TryGetProperty(key, out JsonElement element) && element.ValueKind == JsonValueKind.String ? element.GetString()! : "";

    private static string Lead(RunRecord run)
    {
        string task = run.Config is { Task.IsText: false } config ? $"task `{config.Task.Kind}`" : $"`{Path.GetFileName(run.Config?.Data.Path ?? "") switch { "" => "the SDK's documentation", var name => name }}`";
        return $"{Model(run)}. Trained on {task}, {Display.Count(run.Steps)} steps, {Display.Short(run.Tokens)} tokens. Run folder `{run.Name}`.";
    }

    private static IEnumerable<Fact> Facts(RunRecord run)
    {
        if (run.Final("Loss") is { } loss)
        {
            yield return new Fact("validation loss", Display.Figure(loss), run.IsText ? "nats per token" : "");
        }

        foreach (string score in ScoreKeys(run))
        {
            yield return new Fact(score == "BitsPerByte" ? "bits per byte" : Display.Words(score), Display.Figure(run.Final(score)!.Value));
        }

        yield return new Fact("steps", Display.Count(run.Steps), $"{Display.Short(run.Tokens)} tokens");
        if (run.Cost is { } cost)
        {
            yield return new Fact("parameters", Display.Short(cost.Parameters), $"{Display.Short(run.FlopsPerToken!.Value, "FLOP")} per token");
        }

        if (run.Last("elapsedSeconds") is { } seconds)
        {
            yield return new Fact("time", Display.Duration(seconds), run.Last("tokensPerSecond") is { } rate ? $"{Display.Short(rate)} tokens/s" : "");
        }
    }

    // What the evaluations scored besides the loss.
    private static IEnumerable<string> ScoreKeys(RunRecord run) => run.Keys("validation").Where(key => key is not ("Loss" or "Tokens" or "Step"));

    private static void Training(RunRecord run, ReportSection section)
    {
        List<ShownCurve> losses = [];
        Add(losses, run, "loss", "training", CurveFigure.Style with { Color = Color.Of(0), Size = 0.75 });
        Add(losses, run, "validationLoss", "validation", CurveFigure.Style with { Color = Color.Of(1), Kind = SeriesKind.LineAndPoints });
        if (losses.Count > 0)
        {
            section.Add(new Figure("Loss", CurveFigure.Views(new Axis(run.IsText ? "loss (nats per token)" : "loss"), losses)) { Height = 430 });
        }

        foreach ((string key, string title) in new[] { ("learningRate", "Learning rate"), ("gradientNorm", "Gradient norm"), ("tokensPerSecond", "Tokens per second"), ("balanceLoss", "Loss of balance"), ("zLoss", "z loss of routers"), ("indexLoss", "Loss of indexers") })
        {
            List<ShownCurve> one = [];
            Add(one, run, key, title.ToLowerInvariant(), CurveFigure.Style with { Color = Color.Of(0) });
            if (one.Count > 0)
            {
                section.Add(new Figure(title, [.. CurveFigure.Views(new Axis(title.ToLowerInvariant()) { HasZero = key == "tokensPerSecond" }, one).TakeLast(1)]) { IsHalf = true, Height = 260 });
            }
        }
    }

    private static IEnumerable<IReportItem> Scores(RunRecord run)
    {
        foreach (string score in ScoreKeys(run).Where(key => key != "BitsPerByte"))
        {
            List<ShownCurve> curves = [];
            Add(curves, run, "validation" + score, Display.Words(score), CurveFigure.Style with { Color = Color.Of(2), Kind = SeriesKind.LineAndPoints });
            yield return new Figure(Display.Words(score), CurveFigure.Views(new Axis(Display.Words(score)) { HasZero = true }, curves));
        }
    }

    private static void Add(List<ShownCurve> curves, RunRecord run, string key, string name, Series style)
    {
        if (run.Curve(key) is { } curve)
        {
            curves.Add(new ShownCurve(name, curve, style));
        }
    }
}
