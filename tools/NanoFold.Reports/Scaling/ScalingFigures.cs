using NanoFold.Engine;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Scaling;

/// <summary>Charts of a grid of sizes and tokens.</summary>
internal static class ScalingFigures
{
    private const int LinePoints = 40;

    /// <summary>Losses of runs beside the law: against tokens, size and FLOPs.</summary>
    public static IEnumerable<Figure> Losses(ScalingResult result)
    {
        if (result.Runs.Count == 0)
        {
            return [];
        }

        var bySize = Groups(result.Runs, run => run.Size, run => run.Parameters);
        var byTokens = Groups(result.Runs, run => $"{Display.Short(run.Tokens)} tokens", run => run.Tokens);
        ScalingLaw? law = result.Fit?.Law;
        return
        [
            new Figure(
                "Loss against tokens, size and FLOPs",
                View(result, "tokens", "tokens D", bySize, run => run.Tokens, law is { } l ? (runs, d) => l.Loss(runs[0].Parameters, d) : null),
                View(result, "size", "parameters N", byTokens, run => run.Parameters, law is { } m ? (runs, n) => m.Loss(n, runs[0].Tokens) : null),
                View(result, "FLOPs", "training FLOPs C", bySize, run => run.Flops, law is { } k ? (runs, c) => k.Loss(runs[0].Parameters, c / runs[0].FlopsPerToken) : null))
            { Height = 460, Caption = $"Of what is held back. Every run is a point{(law is null ? "" : "; a line is the law for one size, or one number of tokens")}." },
        ];
    }

    /// <summary>The best size and the best number of tokens against FLOPs, and the loss that they reach.</summary>
    public static IEnumerable<Figure> Best(ScalingResult result)
    {
        var flops = new Axis("training FLOPs C") { IsLogarithmic = true };
        double?[] c = [.. result.ComputeOptimal.Select(point => (double?)point.Flops)];
        (string Name, string Title, Func<ComputePoint, double> Of, Func<ScalingRun, double> OfRun)[] views =
        [
            ("size", "parameters N", point => point.Parameters, run => run.Parameters),
            ("tokens", "tokens D", point => point.Tokens, run => run.Tokens),
            ("loss", $"loss ({result.LossUnit})", point => point.Loss, run => run.Loss),
        ];
        yield return new Figure(
            "The best size and tokens for so many FLOPs",
            [
                .. views.Select(view => new Chart(view.Name, flops, new Axis(view.Title) { IsLogarithmic = true },
                [
                    new Series("runs", [.. result.Runs.Select(run => (double?)ScalingLaw.FlopsPerParameterToken * run.Parameters * run.Tokens)], [.. result.Runs.Select(run => (double?)view.OfRun(run))])
                    {
                        Kind = SeriesKind.Points, Color = Color.Soft, Size = 0.8, Labels = [.. result.Runs.Select(run => run.Size)],
                    },
                    new Series("best by the law", c, [.. result.ComputeOptimal.Select(point => (double?)view.Of(point))]) { Kind = SeriesKind.LineAndPoints, Color = Color.Of(0) },
                ])),
            ])
        { Height = 420, Caption = "FLOPs are 6 N D here. Points where the line leaves the runs are extrapolated." };
    }

    /// <summary>What the law misses, by tokens.</summary>
    public static IEnumerable<Figure> Residuals(ScalingResult result) =>
    [
        new Figure("Residuals by tokens and size", new Chart("residuals", new Axis("tokens D") { IsLogarithmic = true }, new Axis("log L − log L̂, %") { HasZero = true },
        [
            .. Groups(result.Runs, run => run.Size, run => run.Parameters).Select((group, i) => new Series(group[0].Size, [.. group.Select(run => (double?)run.Tokens)], [.. group.Select(run => 100 * run.Residual)])
            {
                Kind = SeriesKind.LineAndPoints, Color = Color.Of(i), Style = i / Color.Count, Size = 0.8, Labels = [.. group.Select(run => run.Run)],
            }),
        ]))
        { Height = 380 },
    ];

    private static Chart View(ScalingResult result, string name, string title, ScalingRun[][] groups, Func<ScalingRun, double> place, Func<ScalingRun[], double, double>? law)
    {
        string NameOf(ScalingRun[] group) => name == "size" ? $"{Display.Short(group[0].Tokens)} tokens" : group[0].Size;
        return new Chart(name, new Axis(title) { IsLogarithmic = true }, new Axis($"loss ({result.LossUnit})") { IsLogarithmic = true },
        [
            .. groups.SelectMany((group, i) => (Series[])
            [
                new Series(NameOf(group), [.. group.Select(run => (double?)place(run))], [.. group.Select(run => (double?)run.Loss)])
                {
                    Kind = SeriesKind.Points, Color = Color.Of(i), Style = i / Color.Count, Group = NameOf(group), Labels = [.. group.Select(run => run.Run)],
                },
                .. law is null ? Array.Empty<Series>() : [Line(group, place, law, NameOf(group), i)],
            ]),
        ]);
    }

    // A little beyond the runs on both sides.
    private static Series Line(ScalingRun[] group, Func<ScalingRun, double> place, Func<ScalingRun[], double, double> law, string name, int index)
    {
        double least = group.Min(place) / 1.3, most = group.Max(place) * 1.3;
        double[] x = [.. Enumerable.Range(0, LinePoints).Select(i => least * Math.Pow(most / least, i / (LinePoints - 1.0)))];
        return new Series(name, [.. x.Select(value => (double?)value)], [.. x.Select(value => (double?)law(group, value))]) { Color = Color.Of(index), Group = name, IsInLegend = false, Size = 0.7 };
    }

    private static ScalingRun[][] Groups(IReadOnlyList<ScalingRun> runs, Func<ScalingRun, string> key, Func<ScalingRun, double> order) =>
        [.. runs.GroupBy(key).Select(group => group.ToArray()).OrderBy(group => order(group[0]))];
}
