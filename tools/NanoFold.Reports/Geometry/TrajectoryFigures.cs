using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Geometry;

/// <summary>
/// Ways of tokens, and of one word in two sets of contexts, through the layers: in the plane and in space, a picture a checkpoint. Ways of recurrent states through a
/// window: a picture a layer.
/// </summary>
internal static class TrajectoryFigures
{
    // What a page has room for: numbers of a figure in all its pictures, and ways in one of them.
    private const int MostNumbers = 60_000, MostFrames = 10, MostWays = 48, Axes = 3;

    private static readonly string[] s_axes = ["first axis", "second axis", "third axis"];

    public static IEnumerable<IReportItem> Of(RunGeometry geometry) => new[] { Tokens(geometry), Contexts(geometry), States(geometry) }.OfType<Figure>();

    private static Figure? Tokens(RunGeometry geometry)
    {
        StoredArray[] arrays = [.. geometry.Arrays("trajectories", ["coordinates", "tokens", "positions"], steps => DepthFigure.Chosen(steps, MostFrames))];
        Way[][] frames = [.. Frames(arrays, "coordinates", isLayerFirst: true)];
        if (frames.Length == 0 || arrays.LastOrDefault(array => array.Name == "tokens") is not { } tokens)
        {
            return null;
        }

        string[] texts = [.. tokens.Values.Select(token => geometry.Token((int)token))];
        string[] groups = [.. texts.Select(KindOf)];
        return Made("Tokens through the layers", "step", frames, Steps(arrays), texts, groups, After, ["trajectories"],
            "Each line is a token's way from the input (ring) to the last block, along the principal axes of all layers together. Words are colored by what the token is. Drag to move, or to turn in space; each checkpoint is turned to lie on the last.");
    }

    private static Figure? Contexts(RunGeometry geometry)
    {
        StoredArray[] arrays = [.. geometry.Arrays("contexts", ["coordinates", "contexts"], steps => DepthFigure.Chosen(steps, MostFrames))];
        Way[][] frames = [.. Frames(arrays, "coordinates", isLayerFirst: false)];
        if (frames.Length == 0 || arrays.LastOrDefault(array => array.Name == "contexts") is not { } contexts)
        {
            return null;
        }

        string[] groups = [.. contexts.Values.Select(context => context == 0 ? "first contexts" : "second contexts")];
        return Made("One word in two sets of contexts", "step", frames, Steps(arrays), groups, groups, After, ["contexts"],
            "Each line is the word in one sentence, from the input (ring) to the last block, colored by the set of contexts. Where the colors part, the model tells the senses apart.");
    }

    // A picture a layer has a basis of its own, and nothing to be turned onto.
    private static Figure? States(RunGeometry geometry)
    {
        StoredArray[] layers = [.. geometry.Arrays("states", ["trajectory"], steps => [.. steps.TakeLast(1)]).Where(array => array is { Layer: not null, Shape: [> 0, > 1, >= 2] }).OrderBy(array => array.Layer)];
        if (layers.Length == 0 || layers.Any(layer => !layer.Shape.AsSpan(0, 2).SequenceEqual(layers[0].Shape.AsSpan(0, 2))))
        {
            return null;
        }

        layers = [.. DepthFigure.Chosen([.. Enumerable.Range(0, layers.Length).Select(i => (long)i)], MostFrames).Select(i => layers[i])];
        int axes = layers.Min(layer => layer.Shape[2]);
        Way[][] frames = [.. layers.Select(layer => (Way[])[.. Enumerable.Range(0, layer.Shape[0]).Select(window => new Way([.. Enumerable.Range(0, layer.Shape[1]).Select(token =>
            layer.Values.AsSpan(((window * layer.Shape[1]) + token) * layer.Shape[2], Math.Min(Axes, axes)).ToArray())]))])];
        string[] windows = [.. Enumerable.Range(0, frames[0].Length).Select(window => $"window {window}")];
        return Made("Recurrent states through a window", "layer", frames, [.. layers.Select(layer => DepthPoint.InLayer(layer.Point) is { Length: > 0 } mixer ? $"{layer.Layer}, {mixer}" : $"{layer.Layer}")], windows, windows, token => $"after token {token}", ["states"],
            "Each line is the way of a state (of one that is a matrix, of what is read of it) over the tokens of a window, from the first (ring), along its principal axes. What comes back to the same place forgets; what goes on counts.");
    }

    private static string After(int layer) => layer == 0 ? "in" : $"after {layer - 1}";

    // The ways of a checkpoint each.
    private static IEnumerable<Way[]> Frames(StoredArray[] arrays, string name, bool isLayerFirst)
    {
        StoredArray[] all = [.. arrays.Where(array => array.Name == name && array.Shape is [_, _, >= 2])];
        if (all.Length == 0 || all.Any(array => !array.Shape.SequenceEqual(all[^1].Shape)))
        {
            yield break;
        }

        foreach (StoredArray array in all)
        {
            int[] shape = array.Shape;
            double[] values = Turning.Onto(array.Values, all[^1].Values, shape[2]);
            (int ways, int layers) = isLayerFirst ? (shape[1], shape[0]) : (shape[0], shape[1]);
            yield return
            [
                .. Enumerable.Range(0, ways).Select(way => new Way([.. Enumerable.Range(0, layers).Select(layer =>
                {
                    int at = (isLayerFirst ? (layer * ways) + way : (way * layers) + layer) * shape[2];
                    return values.AsSpan(at, Math.Min(Axes, shape[2])).ToArray();
                })])),
            ];
        }
    }

    private static string[] Steps(StoredArray[] arrays) => [.. arrays.Where(array => array.Name == "coordinates").Select(array => Display.Count(array.Step))];

    private static Figure Made(string title, string over, Way[][] frames, string[] names, string[] texts, string[] groups, Func<int, string> place, IReadOnlyList<string> measures, string caption)
    {
        int layers = frames[0][0].Places.Length, axes = frames[0][0].Places[0].Length;
        int shown = Math.Clamp(MostNumbers / (layers * axes * frames.Length), 8, MostWays);
        int[] ways = [.. DepthFigure.Chosen([.. Enumerable.Range(0, frames[0].Length).Select(way => (long)way)], shown).Select(way => (int)way)];
        string[] kinds = [.. groups.Distinct().Order(StringComparer.Ordinal)];
        (double, double)?[] ends = [.. Enumerable.Range(0, axes).Select(axis => Ends(frames.SelectMany(frame => ways.SelectMany(way => frame[way].Places.Select(place => place[axis])))))];
        Axis AxisOf(int axis) => new(s_axes[axis]) { Range = ends[axis] };

        IChart View(string name, bool isInSpace) => new Frames(name, over, [.. frames.Select((frame, i) => (names[i], (IChart)new Chart("", AxisOf(0), AxisOf(1),
        [
            .. kinds.SelectMany((kind, color) => Drawn(kind, Color.Of(color), frame, [.. ways.Where(way => groups[way] == kind)], texts, place, isInSpace)),
        ])
        {
            Z = isInSpace ? AxisOf(2) : null, IsMoved = true,
        }))]) { Start = frames.Length - 1 };

        IChart[] views = axes >= Axes ? [View("plane", false), View("space", true)] : [View("plane", false)];
        return new Figure(title, views) { Height = 520, Caption = caption, Measures = measures };
    }

    // Ways of one color as one line with gaps, and where they begin as rings.
    private static IEnumerable<Series> Drawn(string kind, Color color, Way[] frame, int[] ways, string[] texts, Func<int, string> place, bool isInSpace)
    {
        if (ways.Length == 0)
        {
            yield break;
        }

        double?[] Along(int axis) => [.. ways.SelectMany(way => frame[way].Places.Select(place => DepthFigure.Rounded(place[axis])).Append(null))];
        double?[] First(int axis) => [.. ways.Select(way => DepthFigure.Rounded(frame[way].Places[0][axis]))];
        yield return new Series(kind, Along(0), Along(1))
        {
            Kind = SeriesKind.LineAndPoints, Color = color, Size = 0.6, Z = isInSpace ? Along(2) : null,
            Labels = [.. ways.SelectMany(way => Enumerable.Range(0, frame[way].Places.Length).Select(layer => $"“{texts[way]}” {place(layer)}").Append(""))],
        };
        yield return new Series(kind, First(0), First(1))
        {
            Kind = isInSpace ? SeriesKind.Points : SeriesKind.Means, Color = color, Size = isInSpace ? 1.8 : 0.7, IsInLegend = false, Z = isInSpace ? First(2) : null,
            Labels = [.. ways.Select(way => $"“{texts[way]}” {place(0)}")],
        };
    }

    private static (double, double)? Ends(IEnumerable<double> values)
    {
        double[] all = [.. values.Where(double.IsFinite)];
        return all.Length == 0 || all.Max() <= all.Min() ? null : (all.Min() - (0.04 * (all.Max() - all.Min())), all.Max() + (0.04 * (all.Max() - all.Min())));
    }

    private static string KindOf(string text) => text.Trim() is not { Length: > 0 } word ? "space"
        : word.All(c => c is '⏎' or '⇥') ? "end of line"
        : word.All(char.IsDigit) ? "number"
        : !word.Any(char.IsLetterOrDigit) ? "mark"
        : text[0] == ' ' ? "beginning of a word"
        : "in a word";

    // A place in the basis after each layer, the input first.
    private readonly record struct Way(double[][] Places);
}
