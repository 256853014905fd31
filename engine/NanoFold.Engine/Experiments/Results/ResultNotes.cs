using NanoFold.Engine.Experiments.Comparisons;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>What must be said besides who is ahead: how rates were chosen, what speeds are of, and of figures beside those of the variants.</summary>
internal static class ResultNotes
{
    /// <summary>What chose the rates of variants, and where a better one may lie beyond those tried.</summary>
    public static IEnumerable<string> Searches(ComparisonResult result, Comparison comparison)
    {
        if (!comparison.Searches)
        {
            yield break;
        }

        yield return $"The rates of each variant were chosen with seed {comparison.Seeds[0]} by the loss on the same rows, so that losses, of this seed above all, may be a little lower than on others.";
        string[] edge = [.. result.Variants.Where(variant => variant.LearningRate is { } rate && comparison.IsAtEdge(new RatePoint(rate, variant.WeightDecay))).Select(variant => $"{variant.Name} ({ResultText.Rate(variant.LearningRate)})")];
        if (edge.Length > 0)
        {
            yield return $"The best learning rate is at an end of those tried for {ResultWords.Listed(edge)}: a better one may lie beyond.";
        }

        // A decay of 0 has nothing beyond it.
        string[] decays = comparison.WeightDecays.Count < 2 ? [] : [.. result.Variants.Where(variant => variant.WeightDecay is { } decay && (decay == comparison.WeightDecays.Max() || (decay == comparison.WeightDecays.Min() && decay > 0)))
            .Select(variant => $"{variant.Name} ({ResultText.Rate(variant.WeightDecay)})")];
        if (decays.Length > 0)
        {
            yield return $"The best weight decay is at an end of those tried for {ResultWords.Listed(decays)}: a better one may lie beyond.";
        }

        string[] open = [.. result.Variants.Where(variant => variant.Search.Any(trial => trial.State is CollectedState.Missing or CollectedState.Unfinished)).Select(variant => variant.Name)];
        if (open.Length > 0)
        {
            yield return $"The search for a learning rate has not ended for {ResultWords.Listed(open)}.";
        }
    }

    /// <summary>That speeds do not compare, where runs were computed in different ways: they do on one machine only.</summary>
    public static IEnumerable<string> Machines(ComparisonResult result)
    {
        string[] machines = [.. result.Variants.SelectMany(variant => variant.Runs).Where(run => run.State == CollectedState.Finished && run.Device is not null)
            .Select(run => string.Join(", ", new[] { run.Device, run.Threads is { } threads ? Display.Count(threads, "thread") : null, run.InstructionSet }.OfType<string>())).Distinct()];
        if (machines.Length > 1)
        {
            yield return $"Speeds do not compare: runs were computed in different ways ({string.Join("; ", machines)}).";
        }
    }

    /// <summary>On which rows each reference was scored: a compressor reads all that is held back, the variants perhaps only some rows of it.</summary>
    public static IEnumerable<string> References(ComparisonResult result)
    {
        (string On, string Names)[] groups = [.. from reference in result.References where reference.On is not null group reference.Name by reference.On into same select (same.Key, string.Join(", ", same))];
        return groups.Length switch
        {
            0 => [],
            1 => [$"What is reached without a neural network is of {groups[0].On}."],
            _ => [$"What is reached without a neural network is {string.Join("; ", groups.Select(group => $"of {group.On}: {group.Names}"))}."],
        };
    }

    /// <summary>The variants whose targets are not told apart, while those of others are.</summary>
    public static IEnumerable<string> Breakdowns(ComparisonResult result)
    {
        VariantResult[] ended = [.. result.Variants.Where(variant => variant.Figures.Count > 0)];
        string[] without = [.. ended.Where(variant => variant.Breakdowns.Count == 0).Select(variant => variant.Name)];
        return without.Length == 0 || without.Length == ended.Length ? []
            : [$"No means by position, frequency and so on of {ResultWords.Listed(without)}: runs lack evaluation.json, or theirs are of different rows."];
    }
}
