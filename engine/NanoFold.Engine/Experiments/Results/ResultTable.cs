using System.Text;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Tasks;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>A table of a comparison's result, its cells for people: a terminal and Markdown show the same.</summary>
/// <param name="Heads">Of columns; the first column names rows, the others hold figures.</param>
/// <param name="Rows">Their cells.</param>
public sealed record ResultTable(IReadOnlyList<string> Heads, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    /// <summary>Heads and rows as <see cref="Rows"/>.</summary>
    public IReadOnlyList<string[]> Lines => [[.. Heads], .. Rows.Select(row => (string[])[.. row])];

    /// <summary>The variants by rank with what the held-back rows gave, and the references below.</summary>
    public static ResultTable Ranking(ComparisonResult result)
    {
        string ranked = result.RankedBy;
        string[] others = [.. new[] { Evaluation.Accuracy, FigureResult.Loss, FigureResult.BitsPerByte }.Where(name => name != ranked && result.Variants.Any(variant => variant.Figure(name) is not null))];
        bool isSpread = result.Variants.Any(variant => variant.Figure(ranked)?.StandardDeviation is not null);
        // Where one seed knows no interval of any, the head says so once.
        bool isKnown = result.Variants.Any(variant => variant.Figure(ranked)?.Difference?.Interval is not null);
        string[] Spread(string cell) => isSpread ? [cell] : [];
        string Difference(PairedDifference? difference) => isKnown || difference is null ? ResultText.Difference(ranked, difference) : ResultText.Signed(ranked, difference.Mean);
        return new ResultTable(
            ["variant", ResultText.Head(ranked), .. Spread("±"), isKnown ? "difference [95 %]" : "difference [no interval]", .. others.Select(ResultText.Head)],
            [
                .. result.Variants.Select(variant => (variant, figure: variant.Figure(ranked))).Select(row => (string[])
                [
                    Name(row.variant),
                    ResultText.Figure(ranked, row.figure?.Mean),
                    .. Spread(ResultText.Deviation(ranked, row.figure?.StandardDeviation)),
                    Difference(row.figure?.Difference),
                    .. others.Select(name => ResultText.Figure(name, row.variant.Figure(name)?.Mean)),
                ]),
                .. result.References.Where(reference => others.Append(ranked).Any(name => reference.Figure(name) is not null)).Select(reference => (string[])
                [
                    reference.Name,
                    ResultText.Figure(ranked, reference.Figure(ranked)),
                    .. Spread(""),
                    "",
                    .. others.Select(name => ResultText.Figure(name, reference.Figure(name))),
                ]),
            ]);
    }

    /// <summary>The figure that is ranked by, a row for each variant and a column for each value of the grid; null where the comparison is none.</summary>
    public static ResultTable? Grid(ComparisonResult result)
    {
        if (ResultGrid.Of(result) is not { } grid)
        {
            return null;
        }

        string ranked = result.RankedBy;
        string Cell(FigureResult? figure) => ResultText.Figure(ranked, figure?.Mean) + (ResultText.Deviation(ranked, figure?.StandardDeviation) is { Length: > 0 } deviation ? $" ± {deviation}" : "");
        return new ResultTable(
            [$"{ResultText.Head(ranked)} by {grid.Head}", .. grid.Points.Select(point => point.ToString())],
            [.. grid.Names.Select(name => (string[])[name, .. grid.Points.Select(point => Cell(grid.At(name, point)?.Figure(ranked)))])]);
    }

    /// <summary>What the variants cost, in the same order.</summary>
    public static ResultTable Costs(ComparisonResult result) => new(
        ["variant", "params", "FLOP/tok", "tokens/s", "memory", "cache/tok", "rate", "a run"],
        [
            .. result.Variants.Select(variant => (string[])
            [
                Name(variant),
                ResultText.Of(variant.Parameters, Display.Short),
                ResultText.Of(variant.FlopsPerToken, Display.Short),
                ResultText.Of(variant.TokensPerSecond, Display.Short),
                ResultText.Of(variant.PeakBytes, Display.Bytes),
                variant.CacheBytesPerToken > 0 ? ResultText.Of(variant.CacheBytesPerToken, Display.Bytes) : ResultText.None,
                ResultText.Rate(variant.LearningRate),
                ResultText.Of(variant.Seconds, Display.Duration),
            ]),
        ]);

    /// <summary>The searches: a row for each variant, a column for each rate; the best of a row is marked. Null where nothing was searched.</summary>
    public static ResultTable? Searches(ComparisonResult result)
    {
        (double Rate, double? Decay)[] points = [.. result.Variants.SelectMany(variant => variant.Search).Select(trial => (trial.LearningRate, trial.WeightDecay)).Distinct().OrderBy(point => point.WeightDecay).ThenBy(point => point.LearningRate)];
        return points.Length == 0 ? null : new ResultTable(
            ["loss by rate", .. points.Select(point => ResultText.Rate(point.Rate) + (point.Decay is { } decay ? $"/{ResultText.Rate(decay)}" : ""))],
            [.. result.Variants.Select(variant => (string[])[variant.Name, .. points.Select(point => Trial(variant.Search.FirstOrDefault(trial => (trial.LearningRate, trial.WeightDecay) == point)))])]);
    }

    /// <summary>What was measured of the layers, those of a variant side by side from the first on; null where nothing was measured.</summary>
    public static ResultTable? Layers(ComparisonResult result) => ResultGeometry.Layers(result);

    /// <summary>The loss or accuracy on rows as long as in training and longer; null where that was not evaluated.</summary>
    public static ResultTable? Contexts(ComparisonResult result) => ResultGeometry.Contexts(result);

    /// <summary>The lines of a Markdown table: figures to the right.</summary>
    public IEnumerable<string> Markdown()
    {
        yield return Row(Heads);
        yield return Row([.. Heads.Select((_, i) => i == 0 ? "---" : "--:")]);
        foreach (IReadOnlyList<string> row in Rows)
        {
            yield return Row(row);
        }
    }

    private static string Trial(SearchTrial? trial) => trial switch
    {
        null => "",
        { State: CollectedState.Failed } => "failed",
        { Value: null } => ResultText.None,
        _ => ResultText.Figure(FigureResult.Loss, trial.Value) + (trial.IsBest ? "*" : ""),
    };

    private static string Name(VariantResult variant) => variant.IsBase ? $"{variant.Name} (base)" : variant.Name;

    private static string Row(IReadOnlyList<string> cells)
    {
        var row = new StringBuilder("|");
        foreach (string cell in cells)
        {
            row.Append(' ').Append(cell.Replace("|", @"\|", StringComparison.Ordinal)).Append(" |");
        }

        return row.ToString();
    }
}
