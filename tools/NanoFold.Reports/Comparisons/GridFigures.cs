using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Comparisons;

/// <summary>A grid, every variant with each of some values: what it reaches against the value, and all of it as a map.</summary>
internal static class GridFigures
{
    // More bands would cover each other; more values would not fit their cells.
    private const int MostBands = 6, MostValues = 8;

    // Values that are further apart than this are shown by their ratios.
    private const double MostRatio = 3;

    /// <summary>None where the comparison is no grid.</summary>
    public static IEnumerable<Figure> Of(ComparisonResult result, IReadOnlyList<ShownVariant> variants)
    {
        if (ResultGrid.Of(result) is not { } grid)
        {
            yield break;
        }

        string[] figures = ComparisonPage.Figures(result);
        bool hasBands = grid.Names.Count <= MostBands;
        Row[] rows = Rows(grid, variants);
        string ranked = Display.Words(result.RankedBy), title = $"{char.ToUpperInvariant(ranked[0])}{ranked[1..]}";
        yield return new Figure($"{title} by {grid.Head}", [.. figures.Select(figure => Lines(result, grid, rows, figure, hasBands))])
        {
            Height = 430, Caption = $"Means over seeds.{(hasBands ? " Bands are standard deviations over seeds." : "")} {Hidden(rows)}",
        };
        yield return new Figure($"{title} of every variant", [.. figures.Select(figure => Map(result, grid, rows, figure))])
        {
            Height = 120 + (25 * rows.Length), Caption = $"Means over seeds, the best variant over all values of {grid.Head} first.{(rows.Any(row => row.Variants.Any(variant => variant?.Result.Figure(result.RankedBy) is null)) ? " Empty cells have no result." : "")}",
        };
    }

    // A row has the color of its variants; rows of one color differ in style.
    private static Row[] Rows(ResultGrid grid, IReadOnlyList<ShownVariant> variants)
    {
        var styles = new Dictionary<Color, int>();
        return
        [
            .. grid.Names.Select((name, i) =>
            {
                ShownVariant?[] found = [.. grid.Points.Select(point => variants.FirstOrDefault(variant => ReferenceEquals(variant.Result, grid.At(name, point))))];
                Color color = found.OfType<ShownVariant>().First().Color;
                styles[color] = styles.GetValueOrDefault(color, -1) + 1;
                return new Row(name, found, color, styles[color], i >= ShownVariant.MostShown && !found.Any(variant => variant?.Result.IsBase == true));
            }),
        ];
    }

    private static Chart Lines(ComparisonResult result, ResultGrid grid, Row[] rows, string figure, bool hasBands)
    {
        double[] numbers = [.. grid.Points.Select(Number).OfType<double>()];
        bool isNumeric = numbers.Length == grid.Points.Count;
        Axis x = isNumeric ? new Axis(grid.Head) { IsLogarithmic = numbers.Min() > 0 && numbers.Max() > MostRatio * numbers.Min(), Marks = numbers } : new Axis(grid.Head) { Categories = Values(grid) };
        return new Chart(Display.Words(figure), x, new Axis(ComparisonPage.Axis(result, figure)),
        [
            .. rows.Select(row =>
            {
                var points = row.Variants.Select((variant, i) => (X: isNumeric ? numbers[i] : i, Figure: variant?.Result.Figure(figure))).Where(point => point.Figure is not null).OrderBy(point => point.X).ToArray();
                return new Series(row.Name, [.. points.Select(point => (double?)point.X)], [.. points.Select(point => (double?)point.Figure!.Mean)])
                {
                    Kind = SeriesKind.LineAndPoints, Color = row.Color, Style = row.Style, IsHidden = row.IsHidden,
                    Intervals = hasBands && points.Any(point => point.Figure!.StandardDeviation is not null)
                        ? [.. points.Select(point => point.Figure!.StandardDeviation is { } deviation ? ((double, double)?)(point.Figure.Mean - deviation, point.Figure.Mean + deviation) : null)] : null,
                };
            }),
        ]);
    }

    private static HeatMap Map(ComparisonResult result, ResultGrid grid, Row[] rows, string figure) => new(
        Display.Words(figure), new Axis(grid.Head) { Categories = Values(grid) }, new Axis("variant") { Categories = [.. rows.Select(row => row.Name)], IsReversed = true },
        [.. rows.Select(row => (IReadOnlyList<double?>)[.. row.Variants.Select(variant => variant?.Result.Figure(figure)?.Mean)])], ComparisonPage.Axis(result, figure))
    { Written = grid.Points.Count <= MostValues ? "0.000" : null };

    // The value, where the grid has one setting and that is a number.
    private static double? Number(GridPoint point)
        => point.Settings is [{ Value: var value }] && double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) ? number : null;

    private static string[] Values(ResultGrid grid) => [.. grid.Points.Select(point => point.ToString())];

    private static string Hidden(Row[] rows) => rows.Any(row => row.IsHidden) ? $"The first {ShownVariant.MostShown} and the base are drawn, the others on a click on their names." : "";

    /// <summary>A line of the figure.</summary>
    /// <param name="Name">Of the variants without their values.</param>
    /// <param name="Variants">At each point; null for none.</param>
    /// <param name="Color">Of all of them.</param>
    /// <param name="Style">Of the line and its points.</param>
    /// <param name="IsHidden">Whether it is drawn on a click only.</param>
    private sealed record Row(string Name, IReadOnlyList<ShownVariant?> Variants, Color Color, int Style, bool IsHidden);
}
