using NanoFold.Engine;
using NanoFold.Reports.Charts;

namespace NanoFold.Reports.Geometry;

/// <summary>A quantity by the number after the name of its figures, such as the rank of a neighbor: a line a layer, a picture a checkpoint; of the whole model a line a checkpoint.</summary>
internal static class NumberFigure
{
    /// <summary>Its view; none where there are no two numbers.</summary>
    public static IEnumerable<IChart> Views(DepthPoint[] all, Quantity quantity, string over)
    {
        DepthPoint[] points = [.. all.Where(point => point.Number is not null)], own = [.. points.Where(point => point.IsOwn)];
        double[] numbers = [.. own.Select(point => point.Number!.Value).Distinct().Order()];
        if (numbers.Length < 2)
        {
            yield break;
        }

        double unit = quantity.IsRelative ? numbers[^1] : 1;
        numbers = [.. numbers.Select(number => number / unit)];
        long[] steps = DepthFigure.Steps(own);
        var x = new Axis(over) { IsLogarithmic = numbers[0] > 0 && numbers[^1] / numbers[0] > 8, Marks = numbers.Length <= 12 && !quantity.IsRelative ? numbers : null };
        Axis y = Still(DepthFigure.Unit(quantity), own.Select(point => point.Of.Value).Concat(quantity.References.Select(reference => reference.Value)));
        Series[] references = [.. DepthFigure.References(quantity, numbers[0], numbers[^1])];
        Series Numbered(string name, IEnumerable<DepthPoint> of)
        {
            // Of several layers, as where all share what they are held against, their mean.
            (double Number, double Value)[] ordered = [.. of.GroupBy(point => point.Number!.Value).OrderBy(number => number.Key).Select(number => (number.Key / unit, number.Average(point => point.Of.Value)))];
            return new Series(name, [.. ordered.Select(point => DepthFigure.Rounded(point.Number))], [.. ordered.Select(point => DepthFigure.Rounded(point.Value))]) { Kind = SeriesKind.LineAndPoints, Size = 0.85 };
        }

        if (own.All(point => point.Of.Layer is null))
        {
            IReadOnlyList<long> chosen = DepthFigure.Chosen(steps, DepthFigure.MostLines);
            yield return new Chart($"by {over}", x, y with { Range = null },
            [
                .. chosen.Select((step, i) => Numbered($"step {Display.Count(step)}", own.Where(point => point.Of.Step == step)) with { Color = Color.Between(chosen.Count == 1 ? 1 : (double)i / (chosen.Count - 1)) }),
                .. DepthFigure.Controls(points, Numbered),
                .. references,
            ]);
            yield break;
        }

        // Only what the quantity names: the Gaussian of every layer would be as many lines again.
        string[] beside = [.. quantity.Beside.Select(figure => figure.Name)];
        double most = own.Max(point => point.Place);
        IReadOnlyList<long> frames = DepthFigure.Chosen(steps, DepthFigure.MostFrames);
        yield return new Frames($"by {over}", "step", [.. frames.Select(step => (Display.Count(step), (IChart)new Chart("", x, y,
        [
            .. own.Where(point => point.Of.Step == step).GroupBy(point => point.Place).OrderBy(layer => layer.Key).Select(layer => Numbered($"layer {layer.Key:0.#}", layer) with { Color = Color.Between(most > 0 ? Math.Max(0, layer.Key) / most : 1) }),
            .. points.Where(point => point.Of.Step == step && point.Of.Control.Length == 0 && beside.Contains(point.Beside)).GroupBy(point => point.Beside).Select((kind, i) => Numbered(kind.Key, kind) with { Color = Color.Soft, Style = 1 + i }),
            .. references,
        ])))]) { Start = frames.Count - 1 };
    }

    /// <summary>An axis over all pictures under a slider, so that it stands still while that moves.</summary>
    public static Axis Still(string title, IEnumerable<double> values)
    {
        double[] all = [.. values];
        (double low, double high) = (all.Min(), all.Max());
        double margin = high > low ? 0.05 * (high - low) : 1;
        return low > 0 && high > DepthFigure.MostTimes * low
            ? new Axis(title) { IsLogarithmic = true, Range = (low / 1.15, high * 1.15) }
            : new Axis(title) { Range = (low - margin, high + margin) };
    }
}
