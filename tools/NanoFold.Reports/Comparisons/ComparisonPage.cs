using System.Text.Json.Nodes;
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
    public static ReportPage Of(string folder, ComparisonResult result, string command)
    {
        ShownVariant[] variants = [.. result.Variants.Select((variant, i) => ShownVariant.Of(folder, variant, i))];
        var page = new ReportPage(result.Title) { Kind = "comparison", Command = command, Lead = Lead(result), Facts = [.. Facts(result)] };
        ReportSection found = page.Section("What was found").Add(result.Summary.Select((sentence, i) => new Paragraph(sentence) { IsMain = i == 0 }));
        if (result.Unfinished.Count() is > 0 and var count)
        {
            found.Add(new Paragraph($"{count} of the runs did not end as they were meant to and enter no figure; they are named under Runs.", IsWarning: true));
        }

        found.Add(RankingTable.Of(result)).Add(RankingFigures.Of(result, variants)).Add(BaselineTable.Of(result));
        page.Section("While training", "Each line is a run. A click on a name hides or shows a variant, a double click shows it alone.").Add(LossFigures.Of(result, variants));
        page.Section("What it costs", "Parameters, FLOPs (by the usual convention, forward and backward) and cache are counted; speed, time and memory are measured.").Add(RankingTable.Costs(result)).Add(ContextCost.Of(variants));
        page.Section("Quality and cost", "Nothing beats a variant on the front in both.").Add(ParetoFigure.Of(
            [.. variants.Select(variant => variant.Costs(result))], Axis(result, result.RankedBy), FigureResult.IsLowerBetter(result.RankedBy) ?? true));
        page.Section("Learning rates", "The same rates for all, at one seed; the ringed one is what the seeds ran with. A best rate at an end of the range says that the range was too small.").Add(SearchFigure.Of(result, variants));
        page.Section("Where it is right", "The held-back targets told apart, mean over seeds; and rows longer than in training.").Add(BreakdownFigures.Of(result, variants)).Add(BreakdownFigures.Contexts(result, variants));
        page.Section("Parametrization").Add(CoordinateFigure.Of(folder));
        page.Section("Geometry by depth", "After training, mean over seeds; bands are standard deviations over seeds.").Add(VariantGeometry.Of(variants));
        page.Section("Runs", "Where every number comes from: each folder holds the run's configuration, its metrics and its checkpoints.").Add(RunTables.Of(result));
        page.Section("Settings").Add(RunTables.Settings(result)).Add(RunTables.Base(variants));
        return page;
    }

    /// <summary>A figure with its unit.</summary>
    public static string Axis(ComparisonResult result, string figure) => figure == FigureResult.Loss ? $"loss ({result.LossUnit})" : Shown.Words(figure);

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
            yield return new Fact($"{Shown.Words(result.RankedBy)} of {result.Base}", Shown.Figure(figure.Mean), figure.StandardDeviation is { } deviation ? $"± {Shown.Figure(deviation)} over seeds" : "one seed");
        }

        yield return new Fact("variants", $"{result.Variants.Count}", result.Seeds.Count == 1 ? "1 seed" : $"{result.Seeds.Count} seeds");
        yield return new Fact("training", Shown.Seconds(result.AllRuns.Sum(run => run.Seconds)), $"{Shown.Short(result.AllRuns.Sum(run => (double)run.Tokens))} tokens in {result.AllRuns.Count(run => run.State == CollectedState.Finished)} runs");
    }
}

/// <summary>A variant as it is shown, with its runs.</summary>
/// <param name="Result">What it gave.</param>
/// <param name="Index">Its place, and its color.</param>
/// <param name="Runs">Of its seeds, those whose folders can be read.</param>
internal sealed record ShownVariant(VariantResult Result, int Index, IReadOnlyList<RunRecord> Runs)
{
    public string Name => Result.Name;

    public Color Color => Color.Of(Index);

    public int Style => Index / Color.Count;

    /// <summary>The configuration of its first run; null where there is none.</summary>
    public RunConfig? Config => Runs.Select(run => run.Config).FirstOrDefault(config => config is not null);

    public static ShownVariant Of(string folder, VariantResult variant, int index) => new(
        variant, index,
        [.. variant.Runs.Where(run => File.Exists(Path.Combine(folder, run.Run, RunConfig.FileName))).Select(run => RunRecord.Read(Path.Combine(folder, run.Run), run.Run))]);

    /// <summary>What a finished run gave of a figure.</summary>
    public static double? Value(ComparisonResult result, CollectedRun run, string figure)
        => run.State == CollectedState.Finished && (result.IsOfAllHeldBack ? run.FullValidation : run.Validation).TryGetValue(figure, out double value) ? value : null;

    /// <summary>What it reaches and what it costs.</summary>
    public CostPoint Costs(ComparisonResult result) => new(Name, Index, Result.Figure(result.RankedBy)?.Mean)
    {
        Parameters = Result.Parameters,
        Flops = Result.TrainingFlops,
        Seconds = Result.Seconds,
        CacheBytes = Result.CacheBytesPerToken,
        Seeds = [.. from run in Result.Runs let value = Value(result, run, result.RankedBy) where value is not null select (value.Value, run.Seconds)],
    };
}
