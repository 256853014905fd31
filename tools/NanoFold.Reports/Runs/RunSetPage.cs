using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>The page of several runs, side by side. It ranks nothing: that takes seeds, and a comparison.</summary>
internal static class RunSetPage
{
    private const int MostSettings = 12;

    /// <param name="title">What they are.</param>
    /// <param name="runs">Two or more, their names different.</param>
    /// <param name="command">Makes the page again.</param>
    public static ReportPage Of(string title, IReadOnlyList<RunRecord> runs, string command)
    {
        string[] differing = [.. SettingsTables.Differing(runs).Where(key => key is not ("version" or "train.initHash"))];
        var page = new ReportPage(title)
        {
            Kind = "runs",
            Command = command,
            Lead = $"{runs.Count} runs side by side. {Differences(differing)} Single runs differ by chance as well: what is better is for `compare` to say, over several seeds.",
            Facts = [.. Facts(runs)],
        };
        page.Section("Runs").Add(Table(runs, differing));
        page.Section("Loss").Add(Losses(runs));
        page.Section("Loss and cost", "Each run once. Nothing is below and left of those on the front.").Add(ParetoFigure.Of([.. runs.Select((run, i) => Costs(run, i))], "loss", isLowerBetter: true));
        page.Section("Geometry by depth", "As it was measured last in each run: while it trained and, of what was not measured then, by `geometry`.").Add(DepthFigures.Of([.. runs.Select((run, i) => new DepthFigures.Model(run.Name, Color.Of(i), i / Color.Count, DepthFigures.Last(run)))]));
        ReportSection settings = page.Section("Settings");
        settings.Add(runs.Take(MostSettings).Select(SettingsTables.All));
        if (runs.Count > MostSettings)
        {
            settings.Add(new Paragraph($"Those of {runs.Count - MostSettings} more runs are in the `config.json` of their folders."));
        }

        return page;
    }

    // model.mixer.kind is the mixer.
    private static string LastPart(string key) => key.Split('.') is [.., var record, "kind"] ? record : key[(key.LastIndexOf('.') + 1)..];

    private static string Differences(string[] keys) => keys.Length switch
    {
        0 => "Their settings are the same.",
        <= 6 => $"They differ in {string.Join(", ", keys.Select(key => $"`{key}`"))}.",
        _ => $"They differ in {keys.Length} settings.",
    };

    private static IEnumerable<Fact> Facts(IReadOnlyList<RunRecord> runs)
    {
        double[] losses = [.. runs.Select(FinalLoss).OfType<double>()];
        yield return new Fact("runs", $"{runs.Count}");
        if (losses.Length > 0)
        {
            yield return new Fact("validation loss", $"{Display.Figure(losses.Min())} … {Display.Figure(losses.Max())}");
        }

        yield return new Fact("tokens", Display.Short(runs.Sum(run => run.Tokens)), "in all");
    }

    private static double? FinalLoss(RunRecord run) => run.Final("Loss");

    private static ReportTable Table(IReadOnlyList<RunRecord> runs, string[] differing)
    {
        string[] shown = [.. differing.Take(8)];
        string[] scores = [.. runs.SelectMany(run => run.Keys("validation")).Distinct().Where(key => key is not ("Loss" or "Tokens" or "Step"))];
        return new ReportTable(
            [
                new ReportColumn("run", IsText: true), .. shown.Select(key => new ReportColumn(LastPart(key), IsText: true, key)),
                new ReportColumn("loss"), .. scores.Select(score => new ReportColumn(score == "BitsPerByte" ? "bits per byte" : Display.Words(score))),
                new ReportColumn("parameters"), new ReportColumn("FLOPs/token"), new ReportColumn("tokens"), new ReportColumn("tokens/s"), new ReportColumn("time"),
            ],
            [
                .. runs.OrderBy(run => FinalLoss(run) ?? double.PositiveInfinity).Select(run => (IReadOnlyList<Cell>)
                [
                    run.Name, .. shown.Select(key => new Cell(SettingsTables.Value(run, key))),
                    Cell.Of(FinalLoss(run), "0.0000"), .. scores.Select(score => Cell.Of(run.Final(score), "0.0000")),
                    Cell.Short(run.Cost?.Parameters), Cell.Short(run.FlopsPerToken), Cell.Short(run.Tokens), Cell.Short(run.Last("tokensPerSecond")),
                    run.Last("elapsedSeconds") is { } seconds ? new Cell(Display.Duration(seconds), seconds) : "–",
                ]),
            ])
        { Title = "By loss", Caption = "Losses are of all that is held back where the run evaluated on that, and of its last evaluation otherwise." };
    }

    private static IEnumerable<Figure> Losses(IReadOnlyList<RunRecord> runs)
    {
        foreach ((string key, string title) in new[] { ("validationLoss", "Validation loss"), ("loss", "Training loss"), ("validationAccuracy", "Accuracy") })
        {
            ShownCurve[] curves =
            [
                .. runs.Select((run, i) => (run, i)).Where(pair => pair.run.Curve(key) is not null).Select(pair => new ShownCurve(
                    pair.run.Name, pair.run.Curve(key)!, CurveFigure.Style with { Color = Color.Of(pair.i), Style = pair.i / Color.Count, Kind = key == "loss" ? SeriesKind.Line : SeriesKind.LineAndPoints, Size = 0.85 })),
            ];
            if (curves.Length > 0)
            {
                yield return new Figure(title, CurveFigure.Views(new Axis(title.ToLowerInvariant()), curves)) { Height = 430 };
            }
        }
    }

    private static CostPoint Costs(RunRecord run, int index) => new(run.Name, Color.Of(index), index / Color.Count, FinalLoss(run))
    {
        Parameters = run.Cost?.Parameters,
        Flops = run.Last("flops"),
        Seconds = run.Last("elapsedSeconds"),
        CacheBytes = run.Cost is { CacheBytesPerSequence: > 0 } cost ? (double)cost.CacheBytesPerSequence / run.Config!.Model.Context : null,
    };
}
