using System.Text.Json.Nodes;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Experiments.Comparisons;

namespace NanoFold.Engine.Experiments.Results;

/// <summary>
/// The variants of a comparison as a grid, where each of them is there with each of some values: <c>gru width=32</c>, <c>gru width=64</c>, … Told by names and what variants change, as
/// <see cref="ComparisonFile.Grid"/> makes them.
/// </summary>
public sealed record ResultGrid
{
    private readonly Dictionary<(string Name, string Point), VariantResult> _cells;

    private ResultGrid(IReadOnlyList<string> keys, IReadOnlyList<GridPoint> points, Dictionary<(string Name, string Point), VariantResult> cells, IReadOnlyList<string> names)
        => (Keys, Points, Names, _cells) = (keys, points, names, cells);

    /// <summary>The settings that have values: <c>model.width</c>.</summary>
    public IReadOnlyList<string> Keys { get; }

    /// <summary>The settings for a head: <c>width</c>, <c>width, layers</c>.</summary>
    public string Head => string.Join(", ", Keys.Select(key => key[(key.LastIndexOf('.') + 1)..]));

    /// <summary>The columns, in the order of the comparison.</summary>
    public IReadOnlyList<GridPoint> Points { get; }

    /// <summary>The rows: names without the values, the best mean over all points first, those that lack some last.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The grid of a result; null where its variants are none, with fewer than two rows or columns.</summary>
    public static ResultGrid? Of(ComparisonResult result)
    {
        // Runs are in the order of the comparison, variants in that of their means.
        string[] order = [.. result.AllRuns.Select(run => run.Variant).Distinct()];
        var found = result.Variants.OrderBy(variant => Array.IndexOf(order, variant.Name)).Select(variant => (Variant: variant, Place: PlaceOf(variant)))
            .GroupBy(each => string.Join(' ', each.Place.Settings.Select(setting => setting.Key))).Where(group => group.Key.Length > 0).MaxBy(group => group.Count())?.ToArray() ?? [];
        var cells = new Dictionary<(string, string), VariantResult>();
        foreach ((VariantResult variant, (string name, GridSetting[] settings)) in found)
        {
            cells.TryAdd((name, new GridPoint(settings).ToString()), variant);
        }

        GridPoint[] points = [.. found.Select(each => new GridPoint(each.Place.Settings)).DistinctBy(point => point.ToString())];
        string[] names = [.. found.Select(each => each.Place.Name).Distinct()];
        if (points.Length < 2 || names.Length < 2)
        {
            return null;
        }

        double sign = FigureResult.IsLowerBetter(result.RankedBy) == false ? -1 : 1;
        double Mean(string name)
        {
            double[] figures = [.. points.Select(point => cells.GetValueOrDefault((name, point.ToString()))?.Figure(result.RankedBy)).OfType<FigureResult>().Select(figure => figure.Mean)];
            return figures.Length < points.Length ? double.PositiveInfinity : sign * figures.Average();
        }

        return new ResultGrid([.. points[0].Settings.Select(setting => setting.Key)], points, cells, [.. names.OrderBy(Mean)]);
    }

    /// <summary>The variant of a row and a column; null where there is none.</summary>
    public VariantResult? At(string name, GridPoint point) => _cells.GetValueOrDefault((name, point.ToString()));

    // The name without its ends that say a value which the variant has.
    private static (string Name, GridSetting[] Settings) PlaceOf(VariantResult variant)
    {
        (string Key, JsonNode? Value)[] settings = [.. Settings("", variant.Settings)];
        var found = new List<GridSetting>();
        string name = variant.Name;
        for (string? last = null; last != name;)
        {
            last = name;
            foreach ((string key, JsonNode? value) in settings)
            {
                string end = VariantGrid.Name(key, value);
                if (name.Length > end.Length && name.EndsWith(end, StringComparison.Ordinal))
                {
                    name = name[..^end.Length];
                    found.Insert(0, new GridSetting(key, VariantGrid.TextOf(value)));
                    break;
                }
            }
        }

        return (name, [.. found]);
    }

    // All of them, a record before what is in it: a kind is the value of its record.
    private static IEnumerable<(string Key, JsonNode? Value)> Settings(string path, JsonNode? node) => node is JsonObject record
        ? [.. path.Length > 0 && record["kind"] is { } kind ? [(path, kind)] : Array.Empty<(string, JsonNode?)>(), .. record.SelectMany(pair => Settings(ConfigKeys.Join(path, pair.Key), pair.Value))]
        : [(path, node)];
}

/// <summary>A column of a grid: a value of each of its settings.</summary>
/// <param name="Settings">In the order of <see cref="ResultGrid.Keys"/>.</param>
public sealed record GridPoint(IReadOnlyList<GridSetting> Settings)
{
    /// <summary>The values: <c>32</c>, <c>32, 2</c>.</summary>
    public override string ToString() => string.Join(", ", Settings.Select(setting => setting.Value));

    /// <summary>With their settings: <c>width=32 layers=2</c>.</summary>
    public string Full => string.Join(' ', Settings.Select(setting => $"{setting.Key[(setting.Key.LastIndexOf('.') + 1)..]}={setting.Value}"));

    /// <summary>The value as a number, where the grid has one setting and that is one.</summary>
    public double? Number => Settings is [{ Value: var value }] && double.TryParse(value, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out double number) ? number : null;
}

/// <summary>A value of a setting of a grid.</summary>
/// <param name="Key">The setting: <c>model.width</c>.</param>
/// <param name="Value">As in names of variants: <c>32</c>.</param>
public sealed record GridSetting(string Key, string Value);
