using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>The search for learning rates: loss against rate, a line for each variant and weight decay.</summary>
internal static class SearchFigure
{
    public static IEnumerable<Figure> Of(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
    {
        ShownVariant[] searched = [.. variants.Where(variant => variant.Result.Search.Any(trial => trial.Value is not null))];
        if (searched.Length == 0)
        {
            yield break;
        }

        yield return new Figure("Loss against learning rate", new Chart(
            "loss", new Axis("learning rate") { IsLogarithmic = true, Marks = [.. searched.SelectMany(variant => variant.Result.Search.Select(trial => trial.LearningRate))] }, new Axis(ComparisonPage.Axis(result, FigureResult.Loss)),
            [.. searched.SelectMany(Lines), .. searched.Select(Best).OfType<Series>()]))
        {
            Height = 430, Caption = "Runs that failed or diverged have no point. " + ShownVariant.Hidden(variants),
        };
    }

    private static IEnumerable<Series> Lines(ShownVariant variant)
        => variant.Result.Search.Where(trial => trial.Value is not null).GroupBy(trial => trial.WeightDecay).Select((line, i) => new Series(
            variant.Name, [.. line.Select(trial => (double?)trial.LearningRate)], [.. line.Select(trial => trial.Value)])
        {
            Kind = SeriesKind.LineAndPoints, Color = variant.Color, Style = variant.Style + i, Group = variant.Name, IsInLegend = i == 0, Size = 0.9, IsHidden = variant.IsHidden,
            Labels = [.. line.Select(trial => trial.WeightDecay is { } decay ? $"{variant.Name}, weight decay {Display.Number(decay, "0.####")}" : variant.Name)],
        });

    // A search that has not ended has no best rate yet.
    private static Series? Best(ShownVariant variant) => variant.Result.Search.All(trial => trial.State is CollectedState.Finished or CollectedState.Failed) && variant.Result.Search.FirstOrDefault(trial => trial is { IsBest: true, Value: not null }) is { } best
        ? new Series(variant.Name, [best.LearningRate], [best.Value]) { Kind = SeriesKind.Means, Color = variant.Color, Group = variant.Name, IsInLegend = false, IsHidden = variant.IsHidden }
        : null;
}
