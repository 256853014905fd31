using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Comparisons;

/// <summary>Geometry of the layers of each variant after training.</summary>
internal static class VariantGeometry
{
    public static IEnumerable<Figure> Of(IReadOnlyList<ShownVariant> variants)
        => from pair in variants.SelectMany(variant => variant.Result.Geometry.Select(geometry => (Variant: variant, Geometry: geometry)))
           group pair by pair.Geometry.Measure into measure
           select new Figure($"{Shown.Title(measure.Key)} by depth",
               [.. measure.GroupBy(pair => pair.Geometry.Figure).OrderBy(figure => GeometryFigures.Place(figure.Key)).Select(figure => View(figure.Key, [.. figure]))])
           { IsHalf = true, Height = 350 };

    private static Chart View(string figure, (ShownVariant Variant, GeometryResult Geometry)[] pairs)
    {
        string name = Shown.Words(figure);
        return new Chart(name, Axis.Layers(pairs.Select(pair => pair.Geometry.Layer)), new Axis(name),
        [
            .. from pair in pairs
               group pair.Geometry by pair.Variant into line
               let layers = line.OrderBy(geometry => geometry.Layer).ToArray()
               select new Series(line.Key.Name, [.. layers.Select(layer => (double?)layer.Layer)], [.. layers.Select(layer => (double?)layer.Mean)])
               {
                   Kind = SeriesKind.LineAndPoints, Color = line.Key.Color, Style = line.Key.Style, Size = 0.9, IsHidden = line.Key.IsHidden,
                   Intervals = layers.Any(layer => layer.StandardDeviation is > 0)
                       ? [.. layers.Select(layer => layer.StandardDeviation is { } deviation ? ((double, double)?)(layer.Mean - deviation, layer.Mean + deviation) : null)] : null,
               },
        ]);
    }
}
