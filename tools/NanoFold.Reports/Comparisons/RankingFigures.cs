using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>Variants one below the other: each seed a point, the mean a ring; and the differences to the base with their intervals.</summary>
internal static class RankingFigures
{
    // Beyond this many times the spread of variants, a baseline would leave them no room.
    private const double Farthest = 2;

    // A figure of more rows is longer than a screen.
    private const int MostRows = 24;

    public static IEnumerable<Figure> Of(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
    {
        ShownVariant[] ended = [.. variants.Where(variant => variant.Result.Figures.Count > 0)];
        ShownVariant[] shown = [.. ended.Where((variant, at) => at < MostRows || variant.Result.IsBase)];
        string some = shown.Length < ended.Length ? $" Of {ended.Length} variants, the first {MostRows} and the base; the table has all." : "";
        string[] figures = ComparisonPage.Figures(result);
        if (figures.Length == 0)
        {
            yield break;
        }

        int height = 130 + (30 * shown.Length);
        yield return new Figure("Every seed", [.. figures.Select(figure => Seeds(result, shown, figure))])
        {
            Height = height, IsHalf = true, Caption = "Points are seeds, rings their means. Dashed lines are what is reached without a neural network, where that is near enough to be shown." + some,
        };
        Chart[] differences = [.. figures.Where(figure => shown.Any(variant => variant.Result.Figure(figure)?.Difference is not null)).Select(figure => Differences(result, shown, figure))];
        if (differences.Length > 0)
        {
            yield return new Figure($"Difference to {result.Base}", differences)
            {
                Height = height, IsHalf = true, Caption = "Points are differences seed by seed, bars 95 % intervals of their mean by Student's t. An interval that holds 0 shows no difference." + some,
            };
        }
    }

    private static Axis Names(IReadOnlyList<ShownVariant> shown) => new("") { Categories = [.. shown.Select(variant => variant.Name)], IsReversed = true };

    private static Chart Seeds(ComparisonResult result, ShownVariant[] shown, string figure)
    {
        (ShownVariant Variant, int At, double[] Values)[] rows = [.. shown.Select((variant, at) => (variant, at, variant.Result.Runs.Select(run => ShownVariant.Value(result, run, figure)).OfType<double>().ToArray()))];
        return new Chart(Display.Words(figure), new Axis(ComparisonPage.Axis(result, figure)), Names(shown),
        [
            .. rows.Where(row => row.Values.Length > 1).Select(row => Points(row.Variant, row.At, row.Values)),
            .. rows.Select(row => Mean(row.Variant, row.At, row.Variant.Result.Figure(figure)?.Mean)),
            .. References(result, figure, [.. rows.SelectMany(row => row.Values)], shown.Length),
        ]);
    }

    private static Chart Differences(ComparisonResult result, ShownVariant[] shown, string figure)
    {
        Dictionary<long, double> ofBase = result.BaseVariant()?.Runs.Select(run => (run.Seed, Value: ShownVariant.Value(result, run, figure))).Where(pair => pair.Value is not null).ToDictionary(pair => pair.Seed, pair => pair.Value!.Value) ?? [];
        return new Chart(Display.Words(figure), new Axis($"difference in {ComparisonPage.Axis(result, figure)}"), Names(shown),
        [
            .. shown.Select((variant, at) => Points(variant, at,
                [.. variant.Result.Runs.Where(run => !variant.Result.IsBase && ofBase.ContainsKey(run.Seed)).Select(run => ShownVariant.Value(result, run, figure) - ofBase[run.Seed]).OfType<double>()])),
            .. shown.Select((variant, at) => (variant, at, Difference: variant.Result.Figure(figure)?.Difference)).Where(row => row.Difference is not null).Select(row => Mean(row.variant, row.at, row.Difference!.Mean) with
            {
                Intervals = row.Difference.Interval is { } interval ? [(interval.Low, interval.High)] : null, Spread = Spread.X,
            }),
            new Series(result.Base, [0, 0], [-0.5, shown.Length - 0.5]) { Kind = SeriesKind.Reference, Color = Color.Soft, IsInLegend = false },
        ]);
    }

    private static Series Points(ShownVariant variant, int at, double[] values) => new(variant.Name, [.. values.Select(value => (double?)value)], [.. values.Select(_ => (double?)at)])
    {
        Kind = SeriesKind.Points, Color = variant.Color, IsInLegend = false,
    };

    private static Series Mean(ShownVariant variant, int at, double? mean) => new(variant.Name, [mean], [at]) { Kind = SeriesKind.Means, Color = variant.Color, IsInLegend = false };

    private static IEnumerable<Series> References(ComparisonResult result, string figure, double[] values, int count)
    {
        if (values.Length == 0)
        {
            return [];
        }

        double least = values.Min(), most = values.Max(), spread = Math.Max(most - least, 0.05 * Math.Abs(most));
        (string Name, double Value)[] near = [.. from reference in result.References let value = reference.Figure(figure) where value > least - (Farthest * spread) && value < most + (Farthest * spread) select (reference.Name, value.Value)];
        least = near.Select(reference => reference.Value).Append(least).Min();
        most = near.Select(reference => reference.Value).Append(most).Max();
        // Each label between other rows, and on the side where there is room.
        return near.Select((reference, i) => new Series(reference.Name, [reference.Value, reference.Value, reference.Value], [-0.5, i % count == 0 ? -0.3 : (i % count) - 0.5, count - 0.5])
        {
            Kind = SeriesKind.Reference, Color = Color.Soft, Labels = ["", reference.Name, ""], ShowsLabels = true, IsInLegend = false,
            LabelPlace = reference.Value > (least + most) / 2 ? LabelPlace.Left : LabelPlace.Right,
        });
    }
}
