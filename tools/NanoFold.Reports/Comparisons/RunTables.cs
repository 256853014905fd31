using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Comparisons;

/// <summary>The runs of a comparison, with what became of them, and what each variant sets.</summary>
internal static class RunTables
{
    private static readonly CollectedState[] s_states = [CollectedState.Failed, CollectedState.Unfinished, CollectedState.Missing];

    private const int MostOpen = 8;

    /// <summary>Those that failed, that have not ended and that have not begun, each by name; then all of them.</summary>
    /// <param name="result">Of the comparison.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="pageFolder">Where the page is going to be.</param>
    public static IEnumerable<IReportItem> Of(ComparisonResult result, string folder, string pageFolder)
    {
        foreach (IGrouping<CollectedState, CollectedRun> runsOf in result.Unfinished.GroupBy(run => run.State).OrderBy(state => Array.IndexOf(s_states, state.Key)))
        {
            yield return new ReportTable(
                [new ReportColumn("run", IsText: true), new ReportColumn("state", IsText: true), new ReportColumn("step"), new ReportColumn("why", IsText: true)],
                [.. runsOf.Select(run => (IReadOnlyList<Cell>)[run.Run, State(run), new Cell(Display.Count(run.Steps), run.Steps), run.Fault ?? ""])])
            { Title = $"Runs that {Became(runsOf.Key)}", IsFolded = runsOf.Count() > MostOpen };
        }

        IReadOnlyList<CollectedRun> runs = result.AllRuns;
        string[] figures = [.. runs.SelectMany(run => run.Validation.Keys).Distinct()];
        yield return new ReportTable(
            [
                new ReportColumn("run", IsText: true), new ReportColumn("variant", IsText: true), new ReportColumn("seed"), new ReportColumn("state", IsText: true), .. figures.Select(figure => new ReportColumn(Display.Words(figure))),
                new ReportColumn("train loss"), new ReportColumn("learning rate"), new ReportColumn("steps"), new ReportColumn("tokens"), new ReportColumn("time"), new ReportColumn("tokens/s"), new ReportColumn("memory"), new ReportColumn("machine", IsText: true),
            ],
            [.. runs.Select(run => (IReadOnlyList<Cell>)
                [
                    new Cell(run.Run, Link: HtmlText.Link(pageFolder, Path.Combine(folder, run.Run))), run.Variant, new Cell($"{run.Seed}", run.Seed), State(run),
                    .. figures.Select(figure => Cell.Of((result.IsOfAllHeldBack ? run.FullValidation : run.Validation).TryGetValue(figure, out double value) ? value : null, "0.0000")),
                    Cell.Of(run.TrainLoss, "0.0000"), Cell.Of(run.LearningRate, "0.#####"), new Cell(Display.Count(run.Steps), run.Steps), Cell.Short(run.Tokens), new Cell(Display.Duration(run.Seconds), run.Seconds),
                    Cell.Short(run.TokensPerSecond), Cell.Bytes(run.PeakBytes),
                    string.Join(", ", new[] { run.Device, run.InstructionSet, run.Threads is { } threads ? $"{threads} threads" : null }.OfType<string>()),
                ])])
        { Title = "All runs, those of searches included", IsFolded = runs.Count > MostOpen, Caption = $"Figures are of {(result.IsOfAllHeldBack ? "all that is held back" : "the rows of every evaluation")}; a dash where a run has none of these. A name leads to the run's folder." };
    }

    /// <summary>What became of runs, after "runs that" or their number.</summary>
    public static string Became(CollectedState state, bool isOne = false) => state switch
    {
        CollectedState.Failed => "failed",
        CollectedState.Unfinished => $"{(isOne ? "has" : "have")} not ended",
        CollectedState.Missing => $"{(isOne ? "has" : "have")} not begun",
        _ => "ended",
    };

    /// <summary>What each variant sets beyond the base, and what was solved for to hold equal what is to be equal.</summary>
    public static ReportTable Settings(ComparisonResult result)
    {
        bool isEqual = result.Variants.Any(variant => variant.Residual is not null);
        return new ReportTable(
            [new ReportColumn("variant", IsText: true), new ReportColumn("sets", IsText: true), .. isEqual ? [new ReportColumn("solved for", IsText: true), new ReportColumn("left of the difference")] : Array.Empty<ReportColumn>()],
            [
                .. result.Variants.Select(variant => (IReadOnlyList<Cell>)
                [
                    variant.Name, variant.Settings.Count > 0 ? SettingsTables.Line(variant.Settings) : "the base as it is",
                    .. isEqual ? [new Cell(string.Join(", ", variant.Solved)), variant.Residual is { } residual ? new Cell(Display.Signed(100 * residual, "0.00") + " %", residual) : new Cell("–")] : Array.Empty<Cell>(),
                ]),
            ])
        { Title = "What the variants set" };
    }

    /// <summary>All settings of the base's first run.</summary>
    public static IEnumerable<ReportTable> Base(IReadOnlyList<ShownVariant> variants) => variants.Where(variant => variant.Result.IsBase).SelectMany(variant => variant.Runs.Take(1)).Select(SettingsTables.All);

    private static Cell State(CollectedRun run) => new(run.State.ToString().ToLowerInvariant() + (run.End is null or "finished" ? "" : $" ({run.End})"), Tone: run.State == CollectedState.Failed ? Tone.Bad : run.State == CollectedState.Finished ? Tone.Plain : Tone.Soft);
}
