using System.Globalization;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>What a comparison shows, in sentences: nothing is called better without an interval that says so.</summary>
internal static class ResultWords
{
    // Parameters, FLOPs or tokens that differ by more than this are said.
    private const double MostResidual = 0.02;

    /// <summary>What was compared, in a line: <c>5 variants on mqar, parameters held equal, 3 seeds</c>.</summary>
    public static string Title(Comparison comparison, RunConfig config)
        => $"{Display.Count(comparison.Variants.Count, "variant")} on {(!config.Task.IsText ? config.Task.Kind : config.Data.Path is { } path ? Path.GetFileName(Path.TrimEndingDirectorySeparator(path)) : "the default text")}{(comparison.Equal == EqualKind.None ? "" : $", {EqualWords(comparison.Equal)} held equal")}, {Display.Count(comparison.Seeds.Count, "seed")}";

    /// <summary>As it stands in files: <c>params</c>.</summary>
    public static string Key(EqualKind equal) => equal == EqualKind.Parameters ? "params" : equal.ToString().ToLowerInvariant();

    /// <summary>What a variant's differences to the base show by the figure that is ranked by.</summary>
    public static string Verdict(ComparisonResult result, VariantResult variant)
    {
        if (variant.Figure(result.RankedBy) is not { } figure)
        {
            int finished = variant.Runs.Count(run => run.State == CollectedState.Finished);
            return finished > 0 ? $"no {Name(result.RankedBy)}" : "no result: none of its runs has finished";
        }

        if (variant.IsBase)
        {
            return "the base";
        }

        return figure.Difference is { } difference ? Verdict(result.RankedBy, difference)
            : result.BaseVariant()?.Figure(result.RankedBy) is null ? "the base has no result to compare with"
            : "has no seed in common with the base";
    }

    /// <summary>All that is to be said besides the table.</summary>
    public static IEnumerable<string> Summary(ComparisonResult result, Comparison comparison)
    {
        VariantResult[] found = [.. result.Variants.Where(variant => variant.Figure(result.RankedBy) is not null)];
        return
        [
            .. found.Length > 1 ? [Best(result, found)] : Array.Empty<string>(),
            .. found.Length > 0 ? Basis(result, comparison, found) : [],
            .. result.Variants.Where(variant => variant.Residual is { } residual && Math.Abs(residual) > MostResidual).Select(variant => Residual(variant, comparison.Equal)),
            .. ResultNotes.Searches(result, comparison),
            .. ResultNotes.Machines(result),
            .. ResultNotes.References(result),
            .. Missing(result),
            .. ResultNotes.Breakdowns(result),
        ];
    }

    private static string Verdict(string figure, PairedDifference difference)
    {
        string seeds = Display.Count(difference.Pairs, "seed"), side = difference.Mean < 0 ? "lower" : "higher", size = ResultText.Size(figure, difference.Mean);
        string goodness = difference.Mean < 0 == (FigureResult.IsLowerBetter(figure) ?? true) ? "better" : "worse";
        string between = $"{side} by {size}{(difference.Interval is { } interval ? $" ({ResultText.Sizes(figure, interval)})" : "")}";
        return difference.IsSameEverywhere ? SameEverywhere(difference, goodness, between)
            : difference.Verdict switch
        {
            DifferenceVerdict.Unknown => difference.Mean == 0 ? "the same at one seed, without an interval" : $"{between} at one seed, without an interval",
            DifferenceVerdict.None when difference.Mean == 0 => $"no difference seen at {seeds}: their mean is 0",
            DifferenceVerdict.None => $"no difference seen at {seeds}; one of this size takes {Needed(difference)}",
            DifferenceVerdict.Lower or DifferenceVerdict.Higher => $"{goodness} at {seeds}: {between}",
            _ => $"perhaps {goodness} at {seeds}: {between}, but one of {difference.Comparisons} comparisons may show that by chance (p = {P(difference.AdjustedPValue)} after correction)",
        };
    }

    // Counts of right answers do that, and models that do not learn.
    private static string SameEverywhere(PairedDifference difference, string goodness, string between)
    {
        string seeds = Display.Count(difference.Pairs, "seed");
        return difference.Verdict switch
        {
            DifferenceVerdict.None => $"the same as the base at each of {seeds}",
            DifferenceVerdict.Unknown => $"{between} at each of {seeds}: the same difference at every seed; the noise of seeds is not known",
            DifferenceVerdict.Lower or DifferenceVerdict.Higher => $"{goodness} at {seeds}: {between}, the same difference at every seed (sign test)",
            _ => $"perhaps {goodness} at {seeds}: {between}, the same difference at every seed, but one of {difference.Comparisons} comparisons may show that by chance (sign test, p = {P(difference.AdjustedPValue)} after correction)",
        };
    }

    private static string Needed(PairedDifference difference)
        => difference.SeedsNeeded is { } needed ? $"about {Display.Count(needed, "seed")} to be seen" : $"more than {Display.Count(SeedsNeeded.Most)} seeds to be seen";

    // A winner is named only where it may be the best and every other variant was found not to be.
    private static string Best(ComparisonResult result, VariantResult[] found)
    {
        VariantResult first = found[0];
        string most = FigureResult.IsLowerBetter(result.RankedBy) == false ? "highest" : "lowest", what = $"the {most} mean {Name(result.RankedBy)}";
        string[] Named(Func<VariantResult, bool> which) => [.. found.Skip(1).Where(which).Select(variant => variant.Name)];
        string[] tied = Named(variant => variant.Figure(result.RankedBy)!.Mean == first.Figure(result.RankedBy)!.Mean);
        string has = tied.Length > 0 ? $"{Listed([first.Name, .. tied])} tie for {what}" : $"{first.Name} has {what}";
        string[] others = Named(variant => variant.MayBeBest == true && !tied.Contains(variant.Name)), untested = Named(variant => variant.MayBeBest is null && !tied.Contains(variant.Name));
        string tests = $"95 %, paired t tests at 5 % ÷ {found.Length - 1}, seed by seed";
        if (found.All(variant => variant.MayBeBest is null))
        {
            return $"No winner: no two variants share two seeds, so that nothing is known of their noise and the order is that of single runs. {has}.";
        }

        string[] but =
        [
            .. first.MayBeBest switch
            {
                null => [$"{first.Name} shares fewer than two seeds with every other one, so that it was not tested"],
                false => [$"another variant is better than {first.Name} at the seeds that they share"],
                _ => Array.Empty<string>(),
            },
            .. others.Length > 0 ? [$"{Listed(others)} may be as good"] : Array.Empty<string>(),
            .. untested.Length > 0 ? [$"{Listed(untested)} {(untested.Length == 1 ? "shares" : "share")} fewer than two seeds with every other one and {(untested.Length == 1 ? "was" : "were")} not tested"] : Array.Empty<string>(),
        ];
        return but.Length > 0 ? $"No winner: {has}, but {string.Join("; ", but)} ({tests})."
            : tied.Length > 0 ? $"No winner: {has} ({tests})."
            : $"{first.Name} is the best: it has {what}, and every other variant is behind one at the seeds that they share by more than the noise of seeds explains ({tests}).";
    }

    private static IEnumerable<string> Basis(ComparisonResult result, Comparison comparison, VariantResult[] found)
    {
        int comparisons = found.Select(variant => variant.Figure(result.RankedBy)?.Difference?.Comparisons ?? 0).DefaultIfEmpty().Max();
        yield return $"Losses in {result.LossUnit}, on {(result.IsOfAllHeldBack ? "all that is held back" : $"the rows of every evaluation, {Rows(comparison)}")}; ± is the standard deviation over seeds.";
        if (result.RankedBy == FigureResult.BitsPerByte)
        {
            yield return "Ranked by bits per byte, for losses of different tokenizers are of different tokens.";
        }

        if (found.Any(variant => variant.Figure(result.RankedBy)?.Difference?.Interval is not null))
        {
            yield return $"Differences are to {result.Base}, seed by seed, with their 95 % interval by Student's t{(comparisons > 1 ? $"; verdicts are corrected for {comparisons} comparisons (Holm)" : "")}.";
        }

        if (found.Select(variant => variant.Figure(result.RankedBy)!.Seeds).Distinct().Count() > 1)
        {
            yield return "Not all variants have the same number of seeds; only common ones are compared.";
        }
    }

    private static string Rows(Comparison comparison)
    {
        (int Context, double Tokens)[] rows = [.. comparison.Variants.Select(variant => variant.Resolve()).Select(config => (config.Model.Context, (double)(config.Train.EvaluationWindows ?? 0) * config.Model.Context)).Distinct()];
        return rows.Length == 1 ? "the same for all runs"
            : rows.Select(each => each.Tokens).Distinct().Count() == 1 ? "as many tokens of each variant but not the same rows, for contexts differ"
            : "which are not the same for all variants";
    }

    private static string Residual(VariantResult variant, EqualKind equal)
        => string.Create(CultureInfo.InvariantCulture, $"{variant.Name} has {Math.Abs(variant.Residual!.Value):0.0 %} {(variant.Residual > 0 ? "more" : "fewer")} {EqualWords(equal)} than the budget.");

    private static IEnumerable<string> Missing(ComparisonResult result)
    {
        HashSet<string> counted = [.. result.Variants.SelectMany(variant => variant.Runs).Select(run => run.Run)];
        foreach (CollectedRun run in result.Unfinished.Where(run => run.State == CollectedState.Failed))
        {
            yield return $"Failed: {run.Run}{(counted.Contains(run.Run) ? "" : " (a trial of the search)")}{(run.Fault is { } fault ? $": {fault}" : "")}";
        }

        foreach (CollectedState state in new[] { CollectedState.Unfinished, CollectedState.Missing })
        {
            CollectedRun[] runs = [.. result.Unfinished.Where(run => run.State == state)];
            if (runs.Length > 0)
            {
                yield return $"{(state == CollectedState.Missing ? "Not begun" : "Not finished")}: {Listed([.. runs.Select(run => Path.GetFileName(run.Run))])}.";
            }
        }
    }

    private static string EqualWords(EqualKind equal) => equal switch
    {
        EqualKind.Parameters => "parameters",
        EqualKind.Flops => "FLOPs",
        EqualKind.Tokens => "tokens",
        EqualKind.Seconds => "seconds",
        _ => "nothing",
    };

    private static string Name(string figure) => figure == FigureResult.BitsPerByte ? "length in bits per byte" : figure;

    /// <summary>Names in a sentence, of many the first.</summary>
    public static string Listed(IReadOnlyList<string> names) => names.Count <= 1 ? string.Concat(names)
        : names.Count > 8 ? $"{string.Join(", ", names.Take(7))} and {names.Count - 7} more"
        : $"{string.Join(", ", names.SkipLast(1))} and {names[^1]}";

    private static string P(double? value) => value is { } p ? p.ToString(p < 0.001 ? "0.0e-0" : "0.###", CultureInfo.InvariantCulture) : "?";
}
