using NanoFold.Engine;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Geometry;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>What was measured of each layer after training, of runs or of variants with their seeds.</summary>
internal static class DepthFigures
{
    /// <summary>A model and what was measured of it.</summary>
    /// <param name="Name">In the legend.</param>
    /// <param name="Color">Its color.</param>
    /// <param name="Style">Of its line.</param>
    /// <param name="Values">Of its layers.</param>
    internal sealed record Model(string Name, Color Color, int Style, IReadOnlyList<DepthValue> Values)
    {
        /// <summary>Whether it is shown on a click only.</summary>
        public bool IsHidden { get; init; }
    }

    /// <summary>A figure of a layer.</summary>
    /// <param name="Measure">The kind of measure.</param>
    /// <param name="Figure">Its name.</param>
    /// <param name="Point">Where it was measured: the point's name.</param>
    /// <param name="Layer">From 0.</param>
    /// <param name="Value">The figure, over seeds the mean.</param>
    /// <param name="Deviation">Over seeds; null of one.</param>
    internal sealed record DepthValue(string Measure, string Figure, string Point, int Layer, double Value, double? Deviation = null);

    /// <summary>A figure for each measure, with a view for each of its figures.</summary>
    public static IEnumerable<Figure> Of(IReadOnlyList<Model> models)
        => from pair in models.SelectMany(model => model.Values.Select(value => (Model: model, Value: value)))
           group pair by pair.Value.Measure into measured
           let views = MeasureViews.Of(measured, pair => (pair.Value.Figure, pair.Value.Point), View).ToArray()
           select new Figure($"{Title(measured.Key)} by depth", views)
           {
               IsHalf = true, Height = 340, Measures = [measured.Key],
               Caption = $"What `{measured.Key}` found after each layer{(models.Count > 1 ? ", a line each: where lines part, the models use their layers differently" : "")}.{MeasureViews.Choices(views)}",
           };

    /// <summary>What was measured last of each layer of a run: while it trained and, of what was not measured then, after training.</summary>
    public static IReadOnlyList<DepthValue> Last(RunRecord run) => Joined(Last(run.Geometry), Last(RunGeometry.Of(run).After));

    /// <summary>Of several runs what was measured after training: means over them.</summary>
    public static IReadOnlyList<DepthValue> After(IEnumerable<RunRecord> runs) =>
    [
        .. from value in runs.SelectMany(run => Last(RunGeometry.Of(run).After))
           group value.Value by (value.Measure, value.Figure, value.Point, value.Layer) into measured
           let summary = SampleSummary.Of([.. measured])
           select new DepthValue(measured.Key.Measure, measured.Key.Figure, measured.Key.Point, measured.Key.Layer, summary.Mean, summary.StandardDeviation),
    ];

    /// <summary>Values, and others of measures that are not among them.</summary>
    public static IReadOnlyList<DepthValue> Joined(IReadOnlyList<DepthValue> values, IEnumerable<DepthValue> others)
    {
        HashSet<string> there = [.. values.Select(value => value.Measure)];
        return [.. values, .. others.Where(value => !there.Contains(value.Measure))];
    }

    /// <summary>What was measured last of each layer.</summary>
    public static IReadOnlyList<DepthValue> Last(IEnumerable<GeometryPoint> points) =>
    [
        .. from point in points
           where IsOfLayer(point)
           group point by (point.Measure, point.Figure, point.Point, point.Layer) into measured
           select new DepthValue(measured.Key.Measure, measured.Key.Figure, measured.Key.Point, measured.Key.Layer!.Value, measured.MaxBy(point => point.Step)!.Value),
    ];

    /// <summary>Whether a figure is of a layer as a whole, of the model itself and of one time.</summary>
    public static bool IsOfLayer(GeometryPoint point) => point is { Layer: not null, Head: null, Scope: not "stream", Other: "", Control: "" };

    /// <summary>The name of a measure.</summary>
    public static string Title(string measure) => measure switch
    {
        "twonn" => "TwoNN",
        "cka" => "CKA",
        "gride" => "GRIDE",
        _ => Display.Words(measure) is [var first, .. var rest] ? char.ToUpperInvariant(first) + rest : measure,
    };

    private static Chart View(string name, IReadOnlyList<(Model Model, DepthValue Value)> pairs)
        => new(name, Axis.Layers(pairs.Select(pair => pair.Value.Layer)), new Axis(name),
        [
            .. from pair in pairs
               group pair.Value by pair.Model into line
               let layers = line.OrderBy(value => value.Layer).ToArray()
               select new Series(line.Key.Name, [.. layers.Select(layer => (double?)layer.Layer)], [.. layers.Select(layer => (double?)layer.Value)])
               {
                   Kind = SeriesKind.LineAndPoints, Color = line.Key.Color, Style = line.Key.Style, Size = 0.9, IsHidden = line.Key.IsHidden,
                   Intervals = layers.Any(layer => layer.Deviation is > 0)
                       ? [.. layers.Select(layer => layer.Deviation is { } deviation ? ((double, double)?)(layer.Value - deviation, layer.Value + deviation) : null)] : null,
               },
        ]);
}
