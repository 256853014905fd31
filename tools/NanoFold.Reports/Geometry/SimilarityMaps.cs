using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Geometry;

/// <summary>Layers against layers, and checkpoints against the last one.</summary>
internal static class SimilarityMaps
{
    private const int MostFrames = 12, MostColumns = 60;

    private static readonly (string Measure, string Figure, string Title, string Reading)[] s_pairs =
    [
        ("cka", "unbiased", "CKA of layers", "Unbiased CKA of every two layers that were compared: 1 is the same but for turning and scale. Blocks along the diagonal are stages. Without `allPairs` each layer is compared with the next one only."),
        ("overlap", "overlap", "Shared neighbors of layers", "Share of the nearest neighbors that two layers have in common: 1 is the same neighborhoods."),
        ("rsa", "rsa", "Likeness of distances", "Rank correlation of the distances between all pairs of tokens in two layers."),
    ];

    private static readonly (string Figure, string Title, string Reading)[] s_checkpoints =
    [
        ("cka", "CKA with the last checkpoint", "How alike each layer is to what it came to be. Layers that come near 1 early settle early."),
        ("overlap", "Neighbors shared with the last checkpoint", "Share of a token's nearest neighbors that stay to the end."),
        ("rsa", "Distances as in the last checkpoint", "Rank correlation of the distances between tokens."),
    ];

    public static IEnumerable<IReportItem> Of(RunGeometry geometry)
        => s_pairs.Select(pair => Layers(geometry, pair.Measure, pair.Figure, pair.Title, pair.Reading)).Append(LayersOfCheckpoints(geometry))
            .Concat(s_checkpoints.Select(kind => Checkpoints(geometry, kind.Figure, kind.Title, kind.Reading))).OfType<Figure>();

    private static Figure? Layers(RunGeometry geometry, string measure, string figure, string title, string reading)
    {
        GeometryPoint[] points = [.. geometry.Of(measure, name => name == figure).Where(point => point is { Scope: "pair", Control.Length: 0 })];
        if (points.Length == 0)
        {
            return null;
        }

        string[] names = [.. points.SelectMany(point => new[] { point.Point, point.Other }).Distinct().OrderBy(Depth)];
        Dictionary<string, int> at = names.Select((name, i) => (name, i)).ToDictionary(pair => pair.name, pair => pair.i);
        long[] steps = [.. DepthFigure.Chosen([.. points.Select(point => point.Step).Distinct().Order()], MostFrames)];
        Axis Layer() => new("layer") { Categories = [.. names.Select(Name)] };
        var frames = steps.Select(step =>
        {
            var cells = names.Select(_ => new double?[names.Length]).ToArray();
            for (int i = 0; i < names.Length; i++)
            {
                cells[i][i] = 1;
            }

            foreach (GeometryPoint point in points.Where(point => point.Step == step))
            {
                cells[at[point.Point]][at[point.Other]] = cells[at[point.Other]][at[point.Point]] = DepthFigure.Rounded(point.Value);
            }

            return (Display.Count(step), (IChart)new HeatMap("", Layer(), Layer(), cells, title) { Range = (0, 1) });
        }).ToArray();
        return new Figure(title, new Frames("layer × layer", "step", frames) { Start = frames.Length - 1 }) { IsHalf = true, Height = 400, Caption = reading, Measures = [measure] };
    }

    private static Figure? Checkpoints(RunGeometry geometry, string figure, string title, string reading)
    {
        GeometryPoint[] points = [.. geometry.After.Where(point => point is { Measure: "checkpoint-similarity", Scope: "checkpoints", Layer: not null, Control.Length: 0 } && point.Figure == figure)];
        // Of all pairs those with the last one.
        long last = points.Select(point => point.Step).DefaultIfEmpty().Max();
        points = [.. points.Where(point => point.Step == last)];
        string[] firsts = [.. points.Select(point => point.Other).Distinct().Order(StringComparer.Ordinal)];
        if (firsts.Length < 2)
        {
            return null;
        }

        string[] columns = [.. DepthFigure.Chosen([.. Enumerable.Range(0, firsts.Length).Select(i => (long)i)], MostColumns).Select(i => firsts[i])];
        string[] places = [.. points.Select(point => point.Point).Distinct().OrderBy(Depth)];
        ILookup<(string, string), GeometryPoint> values = points.ToLookup(point => (point.Point, point.Other));
        return new Figure(title, new HeatMap(
            "layer × checkpoint", new Axis("checkpoint") { Categories = [.. columns.Select(Step)] }, new Axis("layer") { Categories = [.. places.Select(Name)] },
            [.. places.Select(place => (IReadOnlyList<double?>)[.. columns.Select(column => DepthFigure.Rounded(values[(place, column)].LastOrDefault()?.Value))])], title))
        { IsHalf = true, Height = 360, Caption = reading, Measures = ["checkpoint-similarity"] };
    }

    // Every layer of a checkpoint against every one of the last.
    private static Figure? LayersOfCheckpoints(RunGeometry geometry)
    {
        StoredArray[] maps = [.. geometry.Arrays("checkpoint-similarity", ["cka"]).Where(array => array.Shape is [_, _])];
        maps = [.. maps.Where(map => map.Step == maps[^1].Step)];
        if (maps.Length == 0)
        {
            return null;
        }

        maps = [.. DepthFigure.Chosen([.. Enumerable.Range(0, maps.Length).Select(i => (long)i)], MostFrames).Select(i => maps[i])];
        static Axis Layers(string title, int count) => new(title) { Categories = [.. Enumerable.Range(0, count).Select(layer => layer == 0 ? "in" : $"{layer - 1}")] };
        var frames = maps.Select(map => (Step(map.Point[(map.Point.LastIndexOf('+') + 1)..]), (IChart)new HeatMap(
            "", Layers("layer of the last checkpoint", map.Shape[1]), Layers("layer of the checkpoint", map.Shape[0]),
            [.. Enumerable.Range(0, map.Shape[0]).Select(row => (IReadOnlyList<double?>)[.. Enumerable.Range(0, map.Shape[1]).Select(column => DepthFigure.Rounded(map.Values[(row * map.Shape[1]) + column]))])], "CKA") { Range = (0, 1) })).ToArray();
        return new Figure("Layers of a checkpoint and of the last", new Frames("layer × layer", "checkpoint", frames))
        {
            IsHalf = true, Height = 400, Measures = ["checkpoint-similarity"],
            Caption = "Unbiased CKA of every layer of a checkpoint with every one of the last. A strong diagonal: each layer is already what it will be; strong columns beside it: it does another layer's work.",
        };
    }

    // step-000500 is 500; of another run its name stays.
    private static string Step(string checkpoint) => DepthPoint.StepOf(checkpoint) is { } step ? Display.Count(step) : checkpoint;

    private static double Depth(string point) => point.Split('.') is ["blocks", var layer, var name, ..] && int.TryParse(layer, out int number) ? number + (name.EndsWith("pre", StringComparison.Ordinal) ? -1 : name.EndsWith("mid", StringComparison.Ordinal) ? -0.5 : 0) : -2;

    private static string Name(string point) => Depth(point) switch { -2 => point, -1 => "in", var depth => depth.ToString("0.#", System.Globalization.CultureInfo.InvariantCulture) };
}
