using System.Globalization;
using System.Text.RegularExpressions;
using NanoFold.Reports.Runs;

namespace NanoFold.Reports.Geometry;

/// <summary>A figure of a quantity, with its place over depth.</summary>
/// <param name="Of">The figure; of a checkpoint that is held against the last one its step is the earlier one's.</param>
/// <param name="Beside">What it is where it is not the quantity itself but what that is held against; otherwise empty.</param>
/// <param name="Suffix">What stands after its name.</param>
internal readonly partial record struct DepthPoint(GeometryPoint Of, string Beside, string Suffix)
{
    private const string Compared = "checkpoints", Stream = "hook_resid_";

    /// <summary>Whether it is the quantity, of the model on its tokens.</summary>
    public bool IsOwn => IsQuantity && Of.Control.Length == 0;

    /// <summary>Whether it is the quantity, of the model or of a control.</summary>
    public bool IsQuantity => Beside.Length == 0;

    /// <summary>Over depth: after block 3 at 3, within it at 2.5, before the first at −1.</summary>
    public double Place => PlaceOf(Of);

    /// <summary>Which of several parts of a layer it is of, such as a matrix; empty for the stream and for the block.</summary>
    public string Part => InLayer(Of.Point) is var name && name.StartsWith(Stream, StringComparison.Ordinal) ? "" : name;

    /// <summary>The number after its name; null where that is none.</summary>
    public double? Number => double.TryParse(Suffix, NumberStyles.None, CultureInfo.InvariantCulture, out double number) ? number : null;

    /// <summary>Those of a quantity, and of what it is held against.</summary>
    public static DepthPoint[] Read(RunGeometry geometry, Quantity quantity)
    {
        string name = quantity.Figure.Split('.')[0];
        bool isNumbered = quantity.Figure.EndsWith(".*", StringComparison.Ordinal);
        Dictionary<string, string> kinds = new(StringComparer.Ordinal)
        {
            [name] = "", [$"{name}ByChance"] = "by chance", [$"{name}Shuffled"] = "shuffled classes", [$"gaussian{char.ToUpperInvariant(name[0])}{name[1..]}"] = "Gaussian that reads so",
        };
        foreach ((string figure, string beside) in quantity.Beside)
        {
            kinds[figure] = beside;
        }

        return
        [
            .. from point in Against(geometry.Of(quantity.Measure, figure => figure.Contains('.') == isNumbered && kinds.ContainsKey(NameOf(figure))))
               where point.Of is { Head: null } && point.Of.Scope is not "stream"
               select new DepthPoint(point.Of, kinds[NameOf(point.Of.Figure)] is { Length: > 0 } beside ? beside : point.Other, SuffixOf(point.Of.Figure)),
        ];
    }

    /// <summary>Where a figure stands over depth.</summary>
    public static double PlaceOf(GeometryPoint point)
        => (point.Layer ?? 0) + (point.Point.EndsWith(Stream + "mid", StringComparison.Ordinal) ? -0.5 : point.Point.EndsWith(Stream + "pre", StringComparison.Ordinal) ? -1 : 0);

    /// <summary>The name of a point or matrix without its layer: <c>hook_resid_post</c> of <c>blocks.3.hook_resid_post</c>, <c>mlp.up_proj</c> of <c>model.layers.3.mlp.up_proj.weight</c>.</summary>
    public static string InLayer(string point) => Layer().Replace(point, "");

    // Of checkpoints held against the last one each has the step of the earlier one; another run's stands beside them, or alone.
    private static IEnumerable<(GeometryPoint Of, string Other)> Against(IReadOnlyList<GeometryPoint> points)
    {
        GeometryPoint[] pairs = [.. points.Where(point => point.Scope == Compared)];
        if (pairs.Length == 0)
        {
            return points.Select(point => (point, ""));
        }

        long last = pairs.Max(point => point.Step);
        bool isOfSteps = pairs.Any(point => StepOf(point.Other) is not null);
        return pairs.Where(point => point.Step == last).Select(point => StepOf(point.Other) is { } step ? (point with { Step = step }, "") : (point, isOfSteps ? $"against {point.Other}" : ""));
    }

    /// <summary>The steps of a checkpoint by its name, <c>step-000500</c>; null where it is of another run.</summary>
    public static long? StepOf(string checkpoint) => checkpoint.Split('-') is ["step", var number] && long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long step) ? step : null;

    private static string NameOf(string figure) => figure.IndexOf('.') is var dot and >= 0 ? figure[..dot] : figure;

    private static string SuffixOf(string figure) => figure.IndexOf('.') is var dot and >= 0 ? figure[(dot + 1)..] : "";

    [GeneratedRegex(@"^(blocks|model\.layers)\.\d+\.?|\.weight$")]
    private static partial Regex Layer();
}
