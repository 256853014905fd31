using NanoFold.Engine;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Reports.Comparisons;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Scaling;

/// <summary>The page of a grid of sizes and tokens: the law with its intervals, the losses beside it, where FLOPs are spent best, and what is left over.</summary>
internal static class ScalingPage
{
    /// <param name="folder">Of the grid.</param>
    /// <param name="result">What it gave.</param>
    /// <param name="command">Makes the page again.</param>
    /// <param name="pageFolder">Where it is going to be.</param>
    public static ReportPage Of(string folder, ScalingResult result, string command, string pageFolder)
    {
        var page = new ReportPage(result.Title)
        {
            Kind = "scaling",
            Command = command,
            Lead = string.Join(' ', result.Summary.Take(2)),
            Facts = [.. Facts(result)],
        };
        page.Section("Losses and the law", result.Fit is null
            ? "Each point is a run."
            : "Points are runs, lines the law L = E + A/N^α + B/D^β that was fitted to all of them, by the least Huber loss of log L̂ − log L (arXiv 2203.15556). A law is of the runs that it was fitted to: one rate, one schedule, one text.")
            .Add(ScalingFigures.Losses(result));
        if (result.Fit is { } fit)
        {
            page.Section("The law", $"Intervals are of 95 %: percentiles of laws fitted to runs drawn with replacement. {string.Join(' ', result.Summary.Skip(2))}").Add(Law(fit));
            page.Section("Where FLOPs are spent best", "By the law and C = 6 N D: of all sizes and tokens of as many FLOPs, those with the smallest loss. What lies outside of the sizes and tokens that were trained is extrapolated.")
                .Add([.. ScalingFigures.Best(result), Best(result)]);
            page.Section("Residuals", "What the law misses, log L − log L̂ in percent of the loss. A pattern, as a size that is always above, is something that the law does not know: a rate that does not suit that size, for one.")
                .Add(ScalingFigures.Residuals(result));
        }

        page.Section("Coordinate check").Add(CoordinateFigure.Of(folder));
        page.Section("Runs").Add([Runs(result, folder, pageFolder), .. Unfinished(result)]);
        return page;
    }

    private static IEnumerable<Fact> Facts(ScalingResult result)
    {
        yield return new Fact("runs", $"{result.Runs.Count}", result.Unfinished.Count > 0 ? $"{result.Unfinished.Count} not finished" : "");
        if (result.Runs.Count > 0)
        {
            yield return new Fact("parameters", $"{Display.Short(result.Runs.Min(run => run.Parameters))} … {Display.Short(result.Runs.Max(run => run.Parameters))}");
            yield return new Fact("tokens", $"{Display.Short(result.Runs.Min(run => run.Tokens))} … {Display.Short(result.Runs.Max(run => run.Tokens))}");
        }

        if (result.Fit is { } fit)
        {
            yield return new Fact("best size grows with", $"C^{Display.Number(fit.SizeExponent, "0.00")}", Range(fit, "sizeExponent", "0.00"));
            yield return new Fact("misses by", $"{Display.Number(100 * fit.RmsResidual, "0.00")} %", "of the loss");
        }
    }

    private static ReportTable Law(ScalingFit fit) => new(
        [new ReportColumn("constant", IsText: true), new ReportColumn("fitted"), new ReportColumn("95 %"), new ReportColumn("what it is", IsText: true)],
        [
            Row("E", fit.Law.E, Range(fit, "e", "0.000"), "0.000", "what no size and no number of tokens gets below"),
            Row("A", fit.Law.A, Range(fit, "a", "0.###"), "0.###", "what a finite size costs: A/N^α"),
            Row("α", fit.Law.Alpha, Range(fit, "alpha", "0.000"), "0.000", "how fast that falls with the size"),
            Row("B", fit.Law.B, Range(fit, "b", "0.###"), "0.###", "what finitely many tokens cost: B/D^β"),
            Row("β", fit.Law.Beta, Range(fit, "beta", "0.000"), "0.000", "how fast that falls with the tokens"),
            Row("β/(α+β)", fit.SizeExponent, Range(fit, "sizeExponent", "0.000"), "0.000", "the power of the FLOPs with which the best size grows"),
            Row("α/(α+β)", fit.TokensExponent, Range(fit, "tokensExponent", "0.000"), "0.000", "the power of the FLOPs with which the best number of tokens grows"),
            Row("R²", fit.R2, "", "0.0000", "the share of the spread of log L that the law explains"),
        ])
    { Title = "Constants" };

    private static IReadOnlyList<Cell> Row(string name, double value, string range, string format, string meaning) => [name, new Cell(ScalingLaw.Text(value, format), value), range, meaning];

    private static string Range(ScalingFit fit, string key, string format) => $"[{ScalingLaw.Text(fit.Intervals[key].Low, format)}, {ScalingLaw.Text(fit.Intervals[key].High, format)}]";

    private static ReportTable Best(ScalingResult result) => new(
        [new ReportColumn("FLOPs"), new ReportColumn("parameters"), new ReportColumn("tokens"), new ReportColumn("tokens per parameter"), new ReportColumn("loss"), new ReportColumn("where", IsText: true)],
        [
            .. result.ComputeOptimal.Select(point => (IReadOnlyList<Cell>)
            [
                Cell.Short(point.Flops), Cell.Short(point.Parameters), Cell.Short(point.Tokens), Cell.Of(point.Tokens / point.Parameters, "0.0"), Cell.Of(point.Loss, "0.0000"),
                new Cell(point.IsExtrapolated ? "extrapolated" : "within the grid", Tone: point.IsExtrapolated ? Tone.Soft : Tone.Plain),
            ]),
        ])
    { Title = "By FLOPs" };

    private static ReportTable Runs(ScalingResult result, string folder, string pageFolder) => new(
        [
            new ReportColumn("run", IsText: true), new ReportColumn("parameters"), new ReportColumn("tokens"), new ReportColumn("FLOPs"), new ReportColumn("loss", Meaning: result.LossUnit), new ReportColumn("law"),
            new ReportColumn("off", Meaning: "log L − log L̂"), new ReportColumn("tokens/s"), new ReportColumn("time"),
        ],
        [
            .. result.Runs.Select(run => (IReadOnlyList<Cell>)
            [
                new Cell(run.Run[(run.Run.LastIndexOf('/') + 1)..], Link: HtmlText.Link(pageFolder, Path.Combine(folder, run.Run))), Cell.Short(run.Parameters), Cell.Short(run.Tokens), Cell.Short(run.Flops), Cell.Of(run.Loss, "0.0000"), Cell.Of(run.Predicted, "0.0000"),
                run.Residual is { } off ? new Cell($"{Display.Signed(100 * off, "0.00")} %", off) : "–", Cell.Short(run.TokensPerSecond), new Cell(Display.Duration(run.Seconds), run.Seconds),
            ]),
        ])
    { Title = "All runs", Caption = $"Losses are {result.LossUnit} of what is held back. Each run is the folder `runs/NAME` of the grid." };

    private static IReportItem[] Unfinished(ScalingResult result) => result.Unfinished.Count == 0 ? [] :
    [
        new ReportTable(
            [new ReportColumn("run", IsText: true), new ReportColumn("state", IsText: true), new ReportColumn("why", IsText: true)],
            [.. result.Unfinished.Select(run => (IReadOnlyList<Cell>)[run.Run, run.State.ToString().ToLowerInvariant(), run.Fault ?? ""])])
        { Title = "Runs that have not ended" },
    ];
}
