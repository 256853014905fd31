using System.Globalization;
using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Geometry;

/// <summary>
/// The figure of a quantity: by depth, one line a checkpoint, with what it is held against; as a map of layers and steps; and by what the figure is numbered by.
/// </summary>
internal static class DepthFigure
{
    // Lines and pictures of a figure; of a map columns.
    private const int MostLines = 8, MostFrames = 10, MostColumns = 60, MostLabels = 5;

    private const int Digits = 4;

    // From least to most, beyond which equal factors are equally far apart.
    private const double MostTimes = 5;

    private static readonly (string Control, string Name)[] s_controls = [("untrained", "untrained model"), ("shuffled", "shuffled tokens"), ("gaussian", "Gaussian of the same covariance")];

    /// <summary>The figure; null where there is nothing to show.</summary>
    public static Figure? Of(RunGeometry geometry, Quantity quantity)
    {
        string name = quantity.Figure.Split('.')[0];
        bool isNumbered = quantity.Figure.EndsWith(".*", StringComparison.Ordinal);
        string[] family = [name, $"{name}ByChance", $"{name}Shuffled", $"gaussian{char.ToUpperInvariant(name[0])}{name[1..]}"];
        DepthPoint[] points =
        [
            .. from point in geometry.Of(quantity.Measure, figure => isNumbered ? figure.Contains('.') && family.Contains(figure[..figure.IndexOf('.')]) : family.Contains(figure))
               where point is { Head: null, Scope: "point" or "block" or "step" or "model" or "pair" or "network" } && (point.Layer is not null || isNumbered)
               let dot = point.Figure.IndexOf('.')
               let kind = dot < 0 ? point.Figure : point.Figure[..dot]
               select new DepthPoint(point, kind == name, dot < 0 ? "" : point.Figure[(dot + 1)..], PlaceOf(point)),
        ];
        if (!points.Any(point => point.IsOwn && point.Of.Control.Length == 0))
        {
            return null;
        }

        IChart[] views = quantity.Over is { } over ? [.. ByNumber(points, quantity, over)]
            : isNumbered ? [.. points.GroupBy(point => point.Suffix).OrderByDescending(label => label.Count()).Take(MostLabels).SelectMany(label => ByDepth([.. label], quantity, $"{label.Key} · "))]
            : [.. ByDepth(points, quantity, "")];
        return new Figure(quantity.Title, views) { IsHalf = true, Height = 350, Caption = Caption(points, quantity), Measures = [quantity.Measure] };
    }

    /// <summary>At most so many, first and last among them, as far apart as they can be.</summary>
    public static IReadOnlyList<long> Chosen(IReadOnlyList<long> steps, int most)
        => steps.Count <= most ? steps : [.. Enumerable.Range(0, most).Select(i => steps[(int)((long)i * (steps.Count - 1) / (most - 1))]).Distinct()];

    /// <summary>Four digits are more than a screen shows.</summary>
    public static double? Rounded(double? value) => value is { } given && double.IsFinite(given) ? double.Parse(given.ToString($"G{Digits}", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : null;

    /// <summary>Where it stands over depth: after block 3 at 3, within it at 2.5, before the first at −1.</summary>
    public static double PlaceOf(GeometryPoint point)
        => (point.Layer ?? 0) + (point.Point.EndsWith("hook_resid_mid", StringComparison.Ordinal) ? -0.5 : point.Point.EndsWith("hook_resid_pre", StringComparison.Ordinal) ? -1 : 0);

    private static IEnumerable<IChart> ByDepth(DepthPoint[] points, Quantity quantity, string label)
    {
        DepthPoint[] own = [.. points.Where(point => point.IsOwn && point.Of.Control.Length == 0)];
        long[] steps = [.. own.Select(point => point.Of.Step).Distinct().Order()];
        if (steps.Length == 0)
        {
            yield break;
        }

        IReadOnlyList<long> chosen = Chosen(steps, MostLines);
        long last = steps[^1];
        List<Series> lines = [.. chosen.Select((step, i) => Line(chosen.Count == 1 ? "trained" : $"step {Display.Count(step)}", [.. own.Where(point => point.Of.Step == step)]) with
        {
            Color = chosen.Count == 1 ? Color.Of(0) : Color.Between((double)i / (chosen.Count - 1)), Size = step == last ? 1.15 : 0.75, Kind = step == last ? SeriesKind.LineAndPoints : SeriesKind.Line,
        })];
        // What it is held against: of the last checkpoint.
        DepthPoint[] calibration = [.. points.Where(point => !point.IsOwn && point.Of.Control.Length == 0 && point.Of.Step == last)];
        lines.AddRange(calibration.GroupBy(point => point.Of.Figure).Select((kind, i) => Line(NameOf(kind.Key), [.. kind]) with { Color = Color.Soft, Style = 1 + i }));
        lines.AddRange(s_controls.Select((control, i) => Line(control.Name, [.. points.Where(point => point.IsOwn && point.Of.Control == control.Control)]) with { Color = Color.Of(3 + i), Style = 2 + i }).Where(line => line.X.Count > 0));
        double[] places = [.. own.Select(point => point.Place)];
        lines.AddRange(quantity.References.Select(reference => new Series(reference.Name, [places.Min(), places.Max()], [reference.Value, reference.Value]) { Kind = SeriesKind.Reference, Color = Color.Soft }));
        bool hasHalves = places.Any(place => place < 0 || place % 1 != 0);
        Axis depth = hasHalves ? new Axis("layer (−1: before the first, halves: after the mixer)") : Axis.Layers(places.Select(place => (int)place));
        yield return new Chart(label + "by depth", depth, new Axis(Unit(quantity)) { IsLogarithmic = IsWide(quantity, lines) }, lines);
        if (steps.Length > 1)
        {
            yield return Map(own, steps, label + "layer × step", quantity.Title.ToLowerInvariant());
        }
    }

    // A control far from the model would leave it a flat line.
    private static bool IsWide(Quantity quantity, IReadOnlyList<Series> lines)
    {
        double[] values = [.. lines.SelectMany(line => line.Y).OfType<double>()];
        return quantity.References.Count == 0 && values.Min() > 0 && values.Max() > MostTimes * values.Min();
    }

    private static HeatMap Map(DepthPoint[] own, long[] steps, string name, string meaning)
    {
        double[] places = [.. own.Select(point => point.Place).Distinct().Order()];
        IReadOnlyList<long> columns = Chosen(steps, MostColumns);
        Dictionary<(double, long), double> values = own.GroupBy(point => (point.Place, point.Of.Step)).ToDictionary(group => group.Key, group => group.Last().Of.Value);
        return new HeatMap(
            name, new Axis("step") { Categories = [.. columns.Select(Display.Count)] }, new Axis("layer") { Categories = [.. places.Select(place => place.ToString("0.#", CultureInfo.InvariantCulture))] },
            [.. places.Select(place => (IReadOnlyList<double?>)[.. columns.Select(step => values.TryGetValue((place, step), out double value) ? Rounded(value) : null)])], meaning);
    }

    // By the number after the name: a line a layer, a picture a checkpoint; of the whole model a line a checkpoint.
    private static IEnumerable<IChart> ByNumber(DepthPoint[] points, Quantity quantity, string over)
    {
        DepthPoint[] own = [.. points.Where(point => point.IsOwn && point.Of.Control.Length == 0 && Number(point) is not null)];
        long[] steps = [.. own.Select(point => point.Of.Step).Distinct().Order()];
        double[] numbers = [.. own.Select(point => Number(point)!.Value).Distinct().Order()];
        if (numbers.Length < 2)
        {
            yield break;
        }

        var x = new Axis(over) { IsLogarithmic = numbers[0] > 0 && numbers[^1] / numbers[0] > 8, Marks = numbers.Length <= 12 ? numbers : null };
        var y = new Axis(Unit(quantity)) { Range = Ends(own.Select(point => point.Of.Value).Concat(quantity.References.Select(reference => reference.Value))) };
        Series[] references = [.. quantity.References.Select(reference => new Series(reference.Name, [numbers[0], numbers[^1]], [reference.Value, reference.Value]) { Kind = SeriesKind.Reference, Color = Color.Soft })];
        if (own.All(point => point.Of.Layer is null))
        {
            IReadOnlyList<long> chosen = Chosen(steps, MostLines);
            yield return new Chart($"by {over}", x, y,
            [
                .. chosen.Select((step, i) => Numbered($"step {Display.Count(step)}", own.Where(point => point.Of.Step == step), chosen.Count == 1 ? 1 : (double)i / (chosen.Count - 1))),
                .. s_controls.Select((control, i) => Numbered(control.Name, points.Where(point => point.IsOwn && point.Of.Control == control.Control), 0) with { Color = Color.Of(3 + i), Style = 2 + i }).Where(line => line.X.Count > 0),
                .. references,
            ]);
            yield break;
        }

        double most = own.Max(point => point.Place);
        IReadOnlyList<long> frames = Chosen(steps, MostFrames);
        yield return new Frames($"by {over}", "step", [.. frames.Select(step => (Display.Count(step), (IChart)new Chart("", x, y,
        [
            .. own.Where(point => point.Of.Step == step).GroupBy(point => point.Place).OrderBy(layer => layer.Key).Select(layer => Numbered($"layer {layer.Key:0.#}", layer, most > 0 ? Math.Max(0, layer.Key) / most : 1)),
            .. references,
        ])))]) { Start = frames.Count - 1 };
    }

    private static Series Numbered(string name, IEnumerable<DepthPoint> points, double share)
    {
        DepthPoint[] ordered = [.. points.Where(point => Number(point) is not null).OrderBy(point => Number(point))];
        return new Series(name, [.. ordered.Select(Number)], [.. ordered.Select(point => Rounded(point.Of.Value))]) { Kind = SeriesKind.LineAndPoints, Color = Color.Between(share), Size = 0.85 };
    }

    private static double? Number(DepthPoint point) => double.TryParse(point.Suffix, NumberStyles.None, CultureInfo.InvariantCulture, out double number) ? number : null;

    private static Series Line(string name, DepthPoint[] points)
    {
        // Where it was measured twice at a place, by two settings, the last one counts.
        GeometryPoint[] layers = [.. points.GroupBy(point => point.Place).OrderBy(place => place.Key).Select(place => place.Last().Of)];
        return new Series(name, [.. layers.Select(layer => (double?)PlaceOf(layer))], [.. layers.Select(layer => Rounded(layer.Value))])
        {
            Kind = SeriesKind.LineAndPoints, Size = 0.8,
            Intervals = layers.Any(layer => layer.Error is > 0) ? [.. layers.Select(layer => layer.Error is { } error ? ((double, double)?)(Rounded(layer.Value - error)!.Value, Rounded(layer.Value + error)!.Value) : null)] : null,
        };
    }

    // Of the picture as a whole, so that it stands still while the slider moves.
    private static (double Low, double High)? Ends(IEnumerable<double> values)
    {
        double[] all = [.. values];
        (double low, double high) = (all.Min(), all.Max());
        double margin = high > low ? 0.05 * (high - low) : 1;
        return (low - margin, high + margin);
    }

    private static string NameOf(string figure) => figure.StartsWith("gaussian", StringComparison.Ordinal) ? "Gaussian that reads so" : figure.Contains("Shuffled", StringComparison.Ordinal) ? "shuffled classes" : "by chance";

    private static string Unit(Quantity quantity) => quantity.Figure.StartsWith("degrees", StringComparison.Ordinal) ? "degrees" : Display.Words(quantity.Figure.Split('.')[0]);

    private static string Caption(DepthPoint[] points, Quantity quantity)
    {
        GeometryPoint one = points.Last(point => point.IsOwn && point.Of.Control.Length == 0).Of;
        string how = one.Estimator.Length > 0 ? $" Estimated: {one.Estimator}{(one.Count is { } count ? $", N = {Display.Count(count)}" : "")}." : "";
        return quantity.Reading + how + (points.Any(point => point.Of.Error is > 0) && quantity.Over is null ? " Bands are standard errors." : "");
    }

    /// <summary>A figure with its place over depth.</summary>
    /// <param name="Of">The figure.</param>
    /// <param name="IsOwn">Whether it is the quantity itself: otherwise what it is held against.</param>
    /// <param name="Suffix">What stands after its name.</param>
    /// <param name="Place">Over depth.</param>
    private readonly record struct DepthPoint(GeometryPoint Of, bool IsOwn, string Suffix, double Place);
}
