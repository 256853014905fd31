using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Geometry;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>What was measured of the residual stream: over training layer by layer, of heads at the end, and as a table.</summary>
internal static class GeometryFigures
{
    // Of a line, and of all lines of a view, one for each layer.
    private const int MostPoints = 250, MostOfView = 2500;

    /// <summary>Figures of a run's measures by layer while it trained.</summary>
    public static IEnumerable<Figure> OverTraining(RunRecord run)
        => from point in run.Geometry
           where DepthFigures.IsOfLayer(point)
           group point by point.Measure into measure
           where measure.Select(point => point.Step).Distinct().Skip(1).Any()
           let views = MeasureViews.Of(measure, Place, OverTraining).ToArray()
           select new Figure($"{DepthFigures.Title(measure.Key)} by layer while training", views)
           {
               IsHalf = true, Height = 330, Measures = [measure.Key],
               Caption = $"How `{measure.Key}` went in each layer as the model trained: a line a layer, from violet (the first) to orange (the last).{MeasureViews.Choices(views)}{(measure.Any(point => point.Error is not null) ? " Bands are the estimator's standard error." : "")}",
           };

    /// <summary>Figures of measures that were taken once, by depth.</summary>
    public static IEnumerable<Figure> Once(RunRecord run)
        => DepthFigures.Of([new DepthFigures.Model(run.Name, Color.Of(0), 0,
            DepthFigures.Last(run.Geometry.GroupBy(point => point.Measure).Where(measure => measure.All(point => point.Step == measure.First().Step)).SelectMany(measure => measure)))]);

    /// <summary>Of each measure of heads a map of layers and heads, as it was measured last.</summary>
    public static IEnumerable<Figure> Heads(RunRecord run)
        => from point in run.Geometry
           where point is { Layer: not null, Head: not null }
           group point by point.Measure into measure
           let last = measure.Max(point => point.Step)
           let views = MeasureViews.Of(measure.Where(point => point.Step == last), Place, HeadMap).ToArray()
           let title = DepthFigures.Title(measure.Key)
           select new Figure($"{title}{(title.EndsWith("heads", StringComparison.OrdinalIgnoreCase) ? "" : " of heads")} after {Display.Count(last)} steps", views)
           {
               IsHalf = true, Height = 330, Measures = [measure.Key], Caption = $"What `{measure.Key}` found of every head: a cell a head, a row a layer; a row of even color is a layer whose heads are alike.{MeasureViews.Choices(views)}",
           };

    /// <summary>The last figures of each layer, a column for each figure and point.</summary>
    public static ReportTable? Table(RunRecord run)
    {
        DepthFigures.DepthValue[] last = [.. DepthFigures.Last(run.Geometry)];
        (string Measure, string Point, string Figure)[] columns = [.. last.Select(Column).Distinct()];
        return last.Length == 0 ? null : new ReportTable(
            [new ReportColumn("layer"), .. columns.Select(column => new ReportColumn(Title(column), Meaning: $"of the measure {column.Measure}{(column.Point.Length > 0 ? $" at {column.Point}" : "")}"))],
            [
                .. last.Select(value => value.Layer).Distinct().Order().Select(layer => (IReadOnlyList<Cell>)
                [
                    new Cell($"{layer}", layer),
                    .. columns.Select(column => Cell.Of(last.FirstOrDefault(value => value.Layer == layer && Column(value) == column)?.Value, "0.###")),
                ]),
            ])
        { Title = "All figures by layer, as measured last", IsFolded = true };

        static (string Measure, string Point, string Figure) Column(DepthFigures.DepthValue value) => (value.Measure, DepthPoint.InLayer(value.Point), value.Figure);

        // The point stands in the head where the figure was measured at several.
        string Title((string Measure, string Point, string Figure) column)
            => Display.Words(column.Figure) + (columns.Any(other => (other.Measure, other.Figure) == (column.Measure, column.Figure) && other.Point != column.Point) ? $" of {column.Point}" : "");
    }

    private static (string Figure, string Point) Place(GeometryPoint point) => (point.Figure, point.Point);

    private static Chart OverTraining(string name, IReadOnlyList<GeometryPoint> figure)
    {
        int most = figure.Max(point => point.Layer!.Value);
        return new Chart(name, new Axis("steps"), new Axis(name),
        [
            .. from point in figure
               orderby point.Layer
               group point by point.Layer!.Value into layer
               let points = Thinned([.. layer.OrderBy(point => point.Step)], Math.Min(MostPoints, MostOfView / (most + 1)))
               select new Series($"layer {layer.Key}", [.. points.Select(point => (double?)point.Step)], [.. points.Select(point => DepthFigure.Rounded(point.Value))])
               {
                   Kind = SeriesKind.LineAndPoints,
                   Color = Color.Between(most == 0 ? 0 : (double)layer.Key / most),
                   Size = 0.85,
                   Intervals = points.Any(point => point.Error is not null) && most < 8
                       ? [.. points.Select(point => point.Error is { } error ? ((double, double)?)(DepthFigure.Rounded(point.Value - error)!.Value, DepthFigure.Rounded(point.Value + error)!.Value) : null)] : null,
               },
        ]);
    }

    // Means of neighbors, each where the last of them stands.
    private static GeometryPoint[] Thinned(GeometryPoint[] points, int most)
    {
        int size = (points.Length + most - 1) / most;
        return size <= 1 ? points : [.. points.Chunk(size).Select(chunk => chunk[^1] with { Value = chunk.Average(point => point.Value), Error = chunk.Average(point => point.Error) })];
    }

    private static HeatMap HeadMap(string name, IReadOnlyList<GeometryPoint> figure)
    {
        int layers = figure.Max(point => point.Layer!.Value) + 1, heads = figure.Max(point => point.Head!.Value) + 1;
        var cells = new double?[layers][];
        for (int layer = 0; layer < layers; layer++)
        {
            cells[layer] = new double?[heads];
        }

        foreach (GeometryPoint point in figure)
        {
            cells[point.Layer!.Value][point.Head!.Value] = point.Value;
        }

        return new HeatMap(
            name, new Axis("head") { Categories = [.. Enumerable.Range(0, heads).Select(head => $"{head}")] }, new Axis("layer") { Categories = [.. Enumerable.Range(0, layers).Select(layer => $"{layer}")] }, cells, name);
    }
}
