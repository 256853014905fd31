namespace NanoFold.Engine.Experiments.Results;

/// <summary>What must be said of figures beside those of the variants.</summary>
internal static class ResultNotes
{
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
