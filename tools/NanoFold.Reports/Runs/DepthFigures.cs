using System.Text.RegularExpressions;
using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>What was measured of each layer after training, of runs or of variants with their seeds.</summary>
internal static partial class DepthFigures
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

    /// <summary>A figure for each measure and point, with a view for each of its figures.</summary>
    public static IEnumerable<Figure> Of(IReadOnlyList<Model> models)
    {
        (Model Model, DepthValue Value)[] all = [.. models.SelectMany(model => model.Values.Select(value => (model, value)))];
        return from pair in all
               group pair by (pair.Value.Measure, Point: InLayer(pair.Value.Point)) into measured
               let isOneOfSeveral = all.Any(other => other.Value.Measure == measured.Key.Measure && InLayer(other.Value.Point) != measured.Key.Point)
               select new Figure($"{Title(measured.Key.Measure, measured.Key.Point, isOneOfSeveral)} by depth",
                   [.. measured.GroupBy(pair => pair.Value.Figure).OrderBy(figure => GeometryFigures.Place(figure.Key)).Select(figure => View(figure.Key, [.. figure]))])
               { IsHalf = true, Height = 340, Measures = [measured.Key.Measure] };
    }

    /// <summary>What was measured last of each layer of a run.</summary>
    public static IReadOnlyList<DepthValue> Last(IEnumerable<GeometryPoint> points) =>
    [
        .. from point in points
           where IsOfLayer(point)
           group point by (point.Measure, point.Figure, point.Point, point.Layer) into measured
           select new DepthValue(measured.Key.Measure, measured.Key.Figure, measured.Key.Point, measured.Key.Layer!.Value, measured.MaxBy(point => point.Step)!.Value),
    ];

    /// <summary>Whether a figure is of a layer as a whole.</summary>
    public static bool IsOfLayer(GeometryPoint point) => point is { Layer: not null, Head: null, Scope: "point" or "block" };

    /// <summary>The name of a point without its layer: <c>hook_resid_post</c> of <c>blocks.3.hook_resid_post</c>.</summary>
    public static string InLayer(string point) => Block().Replace(point, "");

    /// <summary>The name of a measure, with the point where it was taken at several.</summary>
    public static string Title(string measure, string point, bool isOneOfSeveral) => isOneOfSeveral && point.Length > 0 ? $"{Title(measure)} of {point}" : Title(measure);

    /// <summary>The name of a measure.</summary>
    public static string Title(string measure) => measure switch
    {
        "twonn" => "TwoNN",
        "cka" => "CKA",
        "gride" => "GRIDE",
        _ => Display.Words(measure) is [var first, .. var rest] ? char.ToUpperInvariant(first) + rest : measure,
    };

    private static Chart View(string figure, (Model Model, DepthValue Value)[] pairs)
    {
        string name = Display.Words(figure);
        return new Chart(name, Axis.Layers(pairs.Select(pair => pair.Value.Layer)), new Axis(name),
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

    [GeneratedRegex(@"^blocks\.\d+\.?")]
    private static partial Regex Block();
}
