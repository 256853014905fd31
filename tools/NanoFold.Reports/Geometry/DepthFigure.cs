using System.Globalization;
using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Geometry;

/// <summary>
/// The figure of a quantity: by depth, one line a checkpoint, with what it is held against; as a map of layers and steps. Where a layer has several of it, such as its
/// matrices, one line each; of the whole model over steps; and by what the figure is numbered by (<see cref="NumberFigure"/>).
/// </summary>
internal static class DepthFigure
{
    // Lines and pictures of a figure; of a map columns.
    public const int MostLines = 8, MostFrames = 10;
    private const int MostColumns = 60, MostLabels = 5;

    private const int Digits = 4;

    // From least to most, beyond which equal factors are equally far apart.
    public const double MostTimes = 5;

    private static readonly (string Control, string Name)[] s_controls = [("untrained", "untrained model"), ("shuffled", "shuffled tokens"), ("gaussian", "Gaussian of the same covariance")];

    /// <summary>The figure; null where there is nothing to show.</summary>
    public static Figure? Of(RunGeometry geometry, Quantity quantity)
    {
        DepthPoint[] points = DepthPoint.Read(geometry, quantity);
        DepthPoint[] layers = [.. points.Where(point => point.Of.Layer is not null)];
        IChart[] views = quantity.Over is { } over ? [.. NumberFigure.Views(points, quantity, over)]
            : layers.Length == 0 ? [.. ByStep(points, quantity)]
            : quantity.Figure.Contains('.') ? [.. layers.GroupBy(point => point.Suffix).OrderByDescending(label => label.Count()).Take(MostLabels).SelectMany(label => ByDepth([.. label], quantity, $"{label.Key} · "))]
            : layers.Select(point => point.Part).Distinct().Skip(1).Any() ? [.. ByPart(layers, quantity)]
            : [.. ByDepth(layers, quantity, "")];
        return views.Length == 0 ? null : new Figure(quantity.Title, views) { IsHalf = true, Height = 350, Caption = Caption(points, quantity), Measures = [quantity.Measure] };
    }

    /// <summary>At most so many, first and last among them, as far apart as they can be.</summary>
    public static IReadOnlyList<long> Chosen(IReadOnlyList<long> steps, int most)
        => steps.Count <= most ? steps : [.. Enumerable.Range(0, most).Select(i => steps[(int)((long)i * (steps.Count - 1) / (most - 1))]).Distinct()];

    /// <summary>Four digits are more than a screen shows.</summary>
    public static double? Rounded(double? value) => value is { } given && double.IsFinite(given) ? double.Parse(given.ToString($"G{Digits}", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture) : null;

    /// <summary>Those that are there, of the model.</summary>
    public static long[] Steps(IEnumerable<DepthPoint> own) => [.. own.Select(point => point.Of.Step).Distinct().Order()];

    /// <summary>What its values are.</summary>
    public static string Unit(Quantity quantity) => quantity.Unit.Length > 0 ? quantity.Unit : quantity.Figure.StartsWith("degrees", StringComparison.Ordinal) ? "degrees" : Display.Words(quantity.Figure.Split('.')[0]);

    /// <summary>Lines of what is known without a model, from end to end.</summary>
    public static IEnumerable<Series> References(Quantity quantity, double first, double last)
        => quantity.References.Select(reference => new Series(reference.Name, [first, last], [reference.Value, reference.Value]) { Kind = SeriesKind.Reference, Color = Color.Soft });

    /// <summary>A line for each control that there is.</summary>
    /// <param name="points">Of a quantity.</param>
    /// <param name="line">Makes it, of a name and points.</param>
    public static IEnumerable<Series> Controls(IEnumerable<DepthPoint> points, Func<string, DepthPoint[], Series> line)
        => s_controls.Select((control, i) => line(control.Name, [.. points.Where(point => point.IsQuantity && point.Of.Control == control.Control)]) with { Color = Color.Of(3 + i), Style = 2 + i }).Where(made => made.X.Count > 0);

    private static IEnumerable<IChart> ByDepth(DepthPoint[] points, Quantity quantity, string label)
    {
        DepthPoint[] own = [.. points.Where(point => point.IsOwn)];
        long[] steps = Steps(own);
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
        // What it is held against: as it was last.
        lines.AddRange(points.Where(point => !point.IsQuantity && point.Of.Control.Length == 0).GroupBy(point => point.Beside).Select((kind, i) =>
        {
            long newest = kind.Max(point => point.Of.Step);
            return Line(kind.Key, [.. kind.Where(point => point.Of.Step == newest)]) with { Color = Color.Soft, Style = 1 + i };
        }));
        lines.AddRange(Controls(points, Line));
        double[] places = [.. own.Select(point => point.Place)];
        lines.AddRange(References(quantity, places.Min(), places.Max()));
        yield return new Chart(label + "by depth", Depth(places), new Axis(Unit(quantity)) { IsLogarithmic = IsWide(quantity, lines), HasZero = lines.All(line => line.Y.All(value => value is null or 0)) }, lines);
        if (steps.Length > 1)
        {
            yield return Map(own, steps, label + "layer × step", quantity.Title.ToLowerInvariant());
        }
    }

    // A line for each part, broken where it is what the part is held against; a picture a checkpoint.
    private static IEnumerable<IChart> ByPart(DepthPoint[] points, Quantity quantity)
    {
        DepthPoint[] shown = [.. points.Where(point => point.Of.Control.Length == 0)];
        long[] steps = Steps(shown.Where(point => point.IsOwn));
        if (steps.Length == 0)
        {
            yield break;
        }

        string[] parts = [.. shown.Where(point => point.IsOwn).Select(point => point.Part).Distinct()], beside = [.. shown.Where(point => !point.IsQuantity).Select(point => point.Beside).Distinct()];
        double[] places = [.. shown.Select(point => point.Place)];
        Axis y = NumberFigure.Still(Unit(quantity), shown.Select(point => point.Of.Value).Concat(quantity.References.Select(reference => reference.Value)));
        IReadOnlyList<long> frames = Chosen(steps, MostFrames);
        yield return new Frames("by depth", "step", [.. frames.Select(step => (Display.Count(step), (IChart)new Chart("", Depth(places), y,
        [
            .. parts.Select((part, i) => Line(NameOf(part), [.. shown.Where(point => point.IsOwn && point.Of.Step == step && point.Part == part)]) with { Color = Color.Of(i), Style = i / Color.Count * 2 }),
            .. from part in parts.Select((name, i) => (name, i))
               from kind in beside.Select((name, i) => (name, i))
               let line = Line($"{NameOf(part.name)}, {kind.name}", [.. shown.Where(point => point.Beside == kind.name && point.Of.Step == step && point.Part == part.name)])
               where line.X.Count > 0
               select line with { Color = Color.Of(part.i), Style = 1 + kind.i, Size = 0.6, Group = NameOf(part.name), IsInLegend = false },
            .. References(quantity, places.Min(), places.Max()),
        ])))]) { Start = frames.Count - 1 };
    }

    // Of the whole model: over the checkpoints, with controls as lines from end to end.
    private static IEnumerable<IChart> ByStep(DepthPoint[] points, Quantity quantity)
    {
        DepthPoint[] own = [.. points.Where(point => point.IsOwn)];
        long[] steps = Steps(own);
        if (steps.Length == 0)
        {
            yield break;
        }

        static Series Over(string name, IEnumerable<DepthPoint> of)
        {
            GeometryPoint[] ordered = [.. of.GroupBy(point => point.Of.Step).OrderBy(step => step.Key).Select(step => step.Last().Of)];
            return Banded(new Series(name, [.. ordered.Select(point => (double?)point.Step)], [.. ordered.Select(point => Rounded(point.Value))]), ordered);
        }

        yield return new Chart("by step", new Axis("steps") { Marks = steps.Length == 1 ? [steps[0]] : null }, new Axis(Unit(quantity)),
        [
            Over(quantity.Name, own) with { Color = Color.Of(0) },
            .. points.Where(point => !point.IsQuantity && point.Of.Control.Length == 0).GroupBy(point => point.Beside).Select((kind, i) => Over(kind.Key, kind) with { Color = Color.Of(1 + i), Style = 1 + i }),
            .. Controls(points, (name, of) => of.Length == 0 ? Over(name, of) : new Series(name, [steps[0], steps[^1]], [Rounded(of[^1].Of.Value), Rounded(of[^1].Of.Value)]) { Kind = SeriesKind.LineAndPoints, Size = 0.8 }),
            .. References(quantity, steps[0], steps[^1]),
        ]);
    }

    // A control far from the model would leave it a flat line.
    private static bool IsWide(Quantity quantity, IReadOnlyList<Series> lines)
    {
        double[] values = [.. lines.SelectMany(line => line.Y).OfType<double>()];
        return quantity.References.Count == 0 && values.Length > 0 && values.Min() > 0 && values.Max() > MostTimes * values.Min();
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

    private static Axis Depth(double[] places)
        => places.Any(place => place < 0 || place % 1 != 0) ? new Axis("layer (−1: before the first, halves: after the mixer)") : Axis.Layers(places.Select(place => (int)place));

    private static Series Line(string name, DepthPoint[] points)
    {
        // Where it was measured twice at a place, by two settings, the last one counts.
        GeometryPoint[] layers = [.. points.GroupBy(point => point.Place).OrderBy(place => place.Key).Select(place => place.Last().Of)];
        return Banded(new Series(name, [.. layers.Select(layer => (double?)DepthPoint.PlaceOf(layer))], [.. layers.Select(layer => Rounded(layer.Value))]), layers);
    }

    private static Series Banded(Series series, GeometryPoint[] points) => series with
    {
        Kind = SeriesKind.LineAndPoints, Size = 0.8,
        Intervals = points.Any(point => point.Error is > 0) ? [.. points.Select(point => point.Error is { } error ? ((double, double)?)(Rounded(point.Value - error)!.Value, Rounded(point.Value + error)!.Value) : null)] : null,
    };

    // The point of a part as a reader knows it: hook_attn_out is what the mixer adds.
    private static string NameOf(string part) => part switch { "" => "stream", "hook_attn_out" => "mixer", "hook_mlp_out" => "feed-forward", _ => part };

    private static string Caption(DepthPoint[] points, Quantity quantity)
    {
        GeometryPoint one = points.Last(point => point.IsOwn).Of;
        string how = one.Estimator.Length > 0 ? $" Estimated: {one.Estimator}{(one.Count is { } count ? $", N = {Display.Count(count)}" : "")}." : "";
        string against = one.Other.Length > 0 && one.Scope == "checkpoints" && DepthPoint.StepOf(one.Other) is null ? $" Held against {one.Other}." : "";
        return quantity.Reading + against + how + (points.Any(point => point.Of.Error is > 0) && quantity.Over is null ? " Bands are standard errors." : "");
    }
}
