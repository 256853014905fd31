using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Runs;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Comparisons;

/// <summary>The page of a comparison: what it shows, how sure that is, what each variant costs, and where every number comes from.</summary>
internal static class ComparisonPage
{
    /// <param name="folder">Of the comparison; paths of runs begin there.</param>
    /// <param name="result">What it gave.</param>
    /// <param name="command">Makes the page again.</param>
    /// <param name="pageFolder">Where it is going to be.</param>
    public static ReportPage Of(string folder, ComparisonResult result, string command, string pageFolder)
    {
        (int Color, int Style)[] looks = VariantLooks.Of([.. result.Variants.Select(variant => variant.Name)]);
        ShownVariant[] variants = [.. result.Variants.Select((variant, i) => ShownVariant.Of(folder, variant, i, looks[i]))];
        var page = new ReportPage(result.Title) { Kind = "comparison", Command = command, Lead = Lead(result), Facts = [.. Facts(result)] };
        ReportSection found = page.Section("What was found").Add(result.Summary.Select((sentence, i) => new Paragraph(sentence) { IsMain = i == 0 }));
        found.Add(Unfinished(result));
        found.Add(GridFigures.Of(result, variants)).Add(RankingTable.Of(result)).Add(RankingFigures.Of(result, variants)).Add(BaselineTable.Of(result));
        page.Section("While training", "Each line is a run. A click on a name hides or shows a variant, a double click shows it alone.").Add(LossFigures.Of(result, variants));
        page.Section("What it costs", "Parameters, FLOPs (by the usual convention, forward and backward) and cache are counted; speed, time and memory are measured.").Add(RankingTable.Costs(result)).Add(ContextCost.Of(variants));
        page.Section("Quality and cost", "Nothing beats a variant on the front in both.").Add(ParetoFigure.Of(
            [.. variants.Select(variant => variant.Costs(result))], Axis(result, result.RankedBy), FigureResult.IsLowerBetter(result.RankedBy) ?? true));
        page.Section("Learning rates", "The same rates for all, at one seed; the ringed one is what the seeds ran with. A best rate at an end of the range says that the range was too small.").Add(SearchFigure.Of(result, variants));
        page.Section("Where it is right", "The held-back targets told apart, mean over seeds; and rows longer than in training.").Add(BreakdownFigures.Of(result, variants)).Add(BreakdownFigures.Contexts(result, variants));
        page.Section("Parametrization").Add(CoordinateFigure.Of(folder));
        page.Section("Geometry by depth", "As training measured it last and, of what it did not measure, as `geometry` wrote it into the runs' folders: mean over seeds; bands are standard deviations over seeds.").Add(DepthFigures.Of([.. variants.Select(variant => variant.Geometry)]));
        page.Section("Runs", "Where every number comes from: each folder holds the run's configuration, its metrics and its checkpoints.").Add(RunTables.Of(result, folder, pageFolder));
        page.Section("Settings").Add(RunTables.Settings(result)).Add(RunTables.Base(variants));
        return page;
    }

    /// <summary>The figures there are, the one that is ranked by first.</summary>
    public static string[] Figures(ComparisonResult result)
        => [.. result.Variants.SelectMany(variant => variant.Figures).Select(figure => figure.Name).Distinct().OrderByDescending(name => name == result.RankedBy)];

    /// <summary>A figure with its unit.</summary>
    public static string Axis(ComparisonResult result, string figure) => figure == FigureResult.Loss ? $"loss ({result.LossUnit})" : Display.Words(figure);

    // What failed is a warning; what has not ended yet is not.
    private static IEnumerable<Paragraph> Unfinished(ComparisonResult result)
    {
        int failed = result.AllRuns.Count(run => run.State == CollectedState.Failed);
        if (failed > 0)
        {
            yield return new Paragraph($"{failed} of the runs failed and {(failed == 1 ? "enters" : "enter")} no figure; they are named under Runs.", IsWarning: true);
        }

        string[] others = [.. new[] { CollectedState.Unfinished, CollectedState.Missing }.Select(state => (State: state, Count: result.AllRuns.Count(run => run.State == state)))
            .Where(pair => pair.Count > 0).Select(pair => $"{pair.Count} {RunTables.Became(pair.State, pair.Count == 1)}")];
        if (others.Length > 0)
        {
            yield return new Paragraph($"Of {result.AllRuns.Count} runs, {string.Join(", ", others)}; figures are of the others.");
        }
    }

    private static string Lead(ComparisonResult result)
    {
        string equal = result.Equal switch
        {
            null or "none" => "Nothing but the data is held equal.",
            "params" => "All have the same number of parameters, as near as widths allow, and the same tokens.",
            "flops" => "All spend the same FLOPs, as near as widths allow.",
            "tokens" => "All see the same tokens.",
            "seconds" => "All have the same time.",
            string other => $"Held equal: {other}.",
        };
        string seeds = result.Seeds.Count == 1 ? "One seed: how much chance there is in it is not known." : $"{result.Seeds.Count} seeds each; differences are paired by seed.";
        return $"{result.Variants.Count} variants on {(result.Task == "text" ? "text" : $"task `{result.Task}`")}, compared with `{result.Base}`. {equal} {seeds}";
    }

    private static IEnumerable<Fact> Facts(ComparisonResult result)
    {
        VariantResult[] best = [.. result.Variants.Where(variant => variant.MayBeBest == true)];
        yield return new Fact("may be the best", best.Length switch
        {
            0 => "not known",
            <= 2 => string.Join(", ", best.Select(variant => variant.Name)),
            _ => $"{best.Length} of {result.Variants.Count}",
        }, best.Length switch { 0 => "too few seeds", 1 => "the others are worse", _ => "no difference seen among them" });
        if (result.BaseVariant()?.Figure(result.RankedBy) is { } figure)
        {
            yield return new Fact($"{Display.Words(result.RankedBy)} of {result.Base}", Display.Figure(figure.Mean), figure.StandardDeviation is { } deviation ? $"± {Display.Figure(deviation)} over seeds" : "one seed");
        }

        yield return new Fact("variants", $"{result.Variants.Count}", result.Seeds.Count == 1 ? "1 seed" : $"{result.Seeds.Count} seeds");
        CollectedRun[] begun = [.. result.AllRuns.Where(run => run.State != CollectedState.Missing)];
        yield return new Fact("training", Display.Duration(begun.Sum(run => run.Seconds)), $"{Display.Short(begun.Sum(run => (double)run.Tokens))} tokens in {begun.Length} runs");
    }
}

/// <summary>A variant as it is shown, with its runs.</summary>
/// <param name="Result">What it gave.</param>
/// <param name="Index">Its place.</param>
/// <param name="Color">Its color.</param>
/// <param name="Style">Its lines and shapes.</param>
/// <param name="Runs">Of its seeds, those whose folders can be read.</param>
internal sealed record ShownVariant(VariantResult Result, int Index, Color Color, int Style, IReadOnlyList<RunRecord> Runs)
{
    /// <summary>So many variants are drawn before a reader asks for more.</summary>
    public const int MostShown = 10;

    public string Name => Result.Name;

    /// <summary>Whether lines are shown on a click only: more would cover each other.</summary>
    public bool IsHidden => Index >= MostShown && !Result.IsBase;

    /// <summary>Says so where it is true of any.</summary>
    public static string Hidden(IReadOnlyList<ShownVariant> variants) => variants.Any(variant => variant.IsHidden) ? $"The first {MostShown} and the base are shown, the others on a click." : "";

    /// <summary>The configuration of its first run; null where there is none.</summary>
    public RunConfig? Config => Runs.Select(run => run.Config).FirstOrDefault(config => config is not null);

    public static ShownVariant Of(string folder, VariantResult variant, int index, (int Color, int Style) look) => new(
        variant, index, Color.Of(look.Color), look.Style,
        [.. variant.Runs.Where(run => File.Exists(Path.Combine(folder, run.Run, RunConfig.FileName))).Select(run => RunRecord.Read(Path.Combine(folder, run.Run), run.Run))]);

    /// <summary>What a finished run gave of a figure.</summary>
    public static double? Value(ComparisonResult result, CollectedRun run, string figure)
        => run.State == CollectedState.Finished && (result.IsOfAllHeldBack ? run.FullValidation : run.Validation).TryGetValue(figure, out double value) ? value : null;

    /// <summary>What was measured of its layers after training.</summary>
    public DepthFigures.Model Geometry => new(
        Name, Color, Style, DepthFigures.Joined([.. Result.Geometry.Select(found => new DepthFigures.DepthValue(found.Measure, found.Figure, found.Point, found.Layer, found.Mean, found.StandardDeviation))], DepthFigures.After(Runs))) { IsHidden = IsHidden };

    /// <summary>What it reaches and what it costs.</summary>
    public CostPoint Costs(ComparisonResult result) => new(Name, Color, Style, Result.Figure(result.RankedBy)?.Mean)
    {
        IsHidden = IsHidden,
        Parameters = Result.Parameters,
        Flops = Result.TrainingFlops,
        Seconds = Result.Seconds,
        CacheBytes = Result.CacheBytesPerToken,
        Seeds = [.. from run in Result.Runs let value = Value(result, run, result.RankedBy) where value is not null select (value.Value, run.Seconds)],
    };
}
