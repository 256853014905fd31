using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>What was measured of each layer at the end, of several models.</summary>
internal static class DepthFigures
{
    /// <summary>A model and what was measured of it, in one run or in several seeds.</summary>
    /// <param name="Name">In the legend.</param>
    /// <param name="Color">Its color.</param>
    /// <param name="Style">Of its line.</param>
    /// <param name="Points">Of all times; the last ones are shown.</param>
    internal sealed record Model(string Name, Color Color, int Style, IReadOnlyList<GeometryPoint> Points);

    /// <summary>A figure for each measure, with a view for each of its figures.</summary>
    public static IEnumerable<Figure> Of(IReadOnlyList<Model> models)
        => from pair in models.SelectMany(model => model.Points.Where(point => point is { Layer: not null, Head: null, Scope: "point" or "block" }).Select(point => (model, point)))
           group pair by pair.point.Measure into measure
           select new Figure($"{Shown.Title(measure.Key)} by depth", [.. measure.GroupBy(pair => pair.point.Figure).OrderBy(figure => GeometryFigures.Place(figure.Key)).Select(figure => View(models, figure.Key, [.. figure]))]) { IsHalf = true, Height = 330 };

    private static Chart View(IReadOnlyList<Model> models, string figure, IReadOnlyList<(Model Model, GeometryPoint Point)> pairs)
    {
        string name = Shown.Words(figure);
        return new Chart(name, Axis.Layers(pairs.Select(pair => pair.Point.Layer!.Value)), new Axis(name),
        [
            .. from model in models
               let layers = pairs.Where(pair => ReferenceEquals(pair.Model, model)).Select(pair => pair.Point).GroupBy(point => point.Layer!.Value).OrderBy(layer => layer.Key)
                   .Select(layer => (layer.Key, Value: Last(layer))).ToArray()
               where layers.Length > 0
               select new Series(model.Name, [.. layers.Select(layer => (double?)layer.Key)], [.. layers.Select(layer => (double?)layer.Value)])
               {
                   Kind = SeriesKind.LineAndPoints, Color = model.Color, Style = model.Style, Size = 0.9,
               },
        ]);
    }

    // Several seeds end at the same step.
    private static double Last(IEnumerable<GeometryPoint> points) => points.GroupBy(point => point.Step).MaxBy(step => step.Key)!.Average(point => point.Value);
}
