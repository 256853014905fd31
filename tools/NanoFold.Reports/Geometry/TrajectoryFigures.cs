using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Geometry;

/// <summary>Ways of tokens, and of one word in two sets of contexts, through the layers: in the plane and in space, a picture a checkpoint.</summary>
internal static class TrajectoryFigures
{
    // What a page has room for: numbers of a figure in all its pictures, and ways in one of them.
    private const int MostNumbers = 60_000, MostFrames = 10, MostWays = 48, Axes = 3;

    private static readonly string[] s_axes = ["first axis", "second axis", "third axis"];

    public static IEnumerable<IReportItem> Of(RunGeometry geometry) => new[] { Tokens(geometry), Contexts(geometry) }.OfType<Figure>();

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
        return Made("Tokens through the layers", frames, Steps(arrays), texts, groups, ["trajectories"],
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
        return Made("One word in two sets of contexts", frames, Steps(arrays), groups, groups, ["contexts"],
            "Each line is the word in one sentence, from the input (ring) to the last block, colored by the set of contexts. Where the colors part, the model tells the senses apart.");
    }

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

    private static Figure Made(string title, Way[][] frames, string[] steps, string[] texts, string[] groups, IReadOnlyList<string> measures, string caption)
    {
        int layers = frames[0][0].Places.Length, axes = frames[0][0].Places[0].Length;
        int shown = Math.Clamp(MostNumbers / (layers * axes * frames.Length), 8, MostWays);
        int[] ways = [.. DepthFigure.Chosen([.. Enumerable.Range(0, frames[0].Length).Select(way => (long)way)], shown).Select(way => (int)way)];
        string[] kinds = [.. groups.Distinct().Order(StringComparer.Ordinal)];
        (double, double)?[] ends = [.. Enumerable.Range(0, axes).Select(axis => Ends(frames.SelectMany(frame => ways.SelectMany(way => frame[way].Places.Select(place => place[axis])))))];
        Axis AxisOf(int axis) => new(s_axes[axis]) { Range = ends[axis] };

        IChart View(string name, bool isInSpace) => new Frames(name, "step", [.. frames.Select((frame, i) => (steps[i], (IChart)new Chart("", AxisOf(0), AxisOf(1),
        [
            .. kinds.SelectMany((kind, color) => Drawn(kind, Color.Of(color), frame, [.. ways.Where(way => groups[way] == kind)], texts, isInSpace)),
        ])
        {
            Z = isInSpace ? AxisOf(2) : null, IsMoved = true,
        }))]) { Start = frames.Length - 1 };

        IChart[] views = axes >= Axes ? [View("plane", false), View("space", true)] : [View("plane", false)];
        return new Figure(title, views) { Height = 520, Caption = caption, Measures = measures };
    }

    // Ways of one color as one line with gaps, and where they begin as rings.
    private static IEnumerable<Series> Drawn(string kind, Color color, Way[] frame, int[] ways, string[] texts, bool isInSpace)
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
            Labels = [.. ways.SelectMany(way => Enumerable.Range(0, frame[way].Places.Length).Select(layer => $"“{texts[way]}” {(layer == 0 ? "in" : $"after {layer - 1}")}").Append(""))],
        };
        yield return new Series(kind, First(0), First(1))
        {
            Kind = isInSpace ? SeriesKind.Points : SeriesKind.Means, Color = color, Size = isInSpace ? 1.8 : 0.7, IsInLegend = false, Z = isInSpace ? First(2) : null,
            Labels = [.. ways.Select(way => $"“{texts[way]}” in")],
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

/// <summary>Turns points so that they lie on others as well as they can: orthogonal Procrustes.</summary>
internal static class Turning
{
    private const int Rounds = 60;

    /// <summary>Points [N, k], turned or mirrored by the orthogonal matrix nearest to XᵀY; as they are where k is not 3 or there is no such matrix.</summary>
    /// <param name="points">X, [N, k].</param>
    /// <param name="target">Y, [N, k].</param>
    /// <param name="k">Numbers of a point.</param>
    public static double[] Onto(double[] points, double[] target, int k)
    {
        if (k != 3)
        {
            return points;
        }

        var q = new double[9];
        for (int i = 0; i < points.Length; i += 3)
        {
            for (int row = 0; row < 3; row++)
            {
                for (int column = 0; column < 3; column++)
                {
                    q[(row * 3) + column] += points[i + row] * target[i + column];
                }
            }
        }

        // Newton's iteration for the polar decomposition: Q ← (Q + Q⁻ᵀ)/2 (Higham 1986).
        double scale = Math.Sqrt(q.Sum(value => value * value));
        q = [.. q.Select(value => value / scale)];
        for (int round = 0; round < Rounds; round++)
        {
            if (InverseTransposed(q) is not { } inverse)
            {
                return points;
            }

            q = [.. q.Zip(inverse, (a, b) => (a + b) / 2)];
        }

        var turned = new double[points.Length];
        for (int i = 0; i < points.Length; i += 3)
        {
            for (int column = 0; column < 3; column++)
            {
                turned[i + column] = (points[i] * q[column]) + (points[i + 1] * q[3 + column]) + (points[i + 2] * q[6 + column]);
            }
        }

        return turned;
    }

    // Of 3 × 3: cofactors over the determinant.
    private static double[]? InverseTransposed(double[] m)
    {
        double Cofactor(int row, int column)
        {
            double At(int i, int j) => m[((row + i) % 3 * 3) + ((column + j) % 3)];
            return (At(1, 1) * At(2, 2)) - (At(1, 2) * At(2, 1));
        }

        double[] cofactors = [.. Enumerable.Range(0, 9).Select(i => Cofactor(i / 3, i % 3))];
        double determinant = (m[0] * cofactors[0]) + (m[1] * cofactors[1]) + (m[2] * cofactors[2]);
        return double.IsFinite(determinant) && Math.Abs(determinant) > 1e-14 ? [.. cofactors.Select(value => value / determinant)] : null;
    }
}
