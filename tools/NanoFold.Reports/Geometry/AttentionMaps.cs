using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Geometry;

/// <summary>Patterns of attention over the first tokens of a window, of the last checkpoint: the mean over heads of every layer, and every head.</summary>
internal static class AttentionMaps
{
    // What a page has room for.
    private const int MostCells = 150_000, MostTokens = 32;

    public static IEnumerable<IReportItem> Of(RunGeometry geometry)
    {
        StoredArray[] arrays = [.. geometry.Arrays("attention-graph", ["pattern", "tokens"], steps => [.. steps.TakeLast(1)])];
        StoredArray[] patterns = [.. arrays.Where(array => array is { Name: "pattern", Layer: not null, Shape: [> 0, > 1, _] } && array.Shape[1] == array.Shape[2]).OrderBy(array => array.Layer)];
        if (patterns.Length == 0)
        {
            yield break;
        }

        // Fewer tokens where there are many heads; whole numbers of a thousandth are as much as a color shows.
        int heads = patterns.Sum(pattern => pattern.Shape[0] + 1), tokens = Math.Min(Math.Min(MostTokens, patterns.Min(pattern => pattern.Shape[1])), Math.Max(8, (int)Math.Sqrt((double)MostCells / heads)));
        double[]? ids = arrays.FirstOrDefault(array => array.Name == "tokens")?.Values;
        string[] names = [.. Enumerable.Range(0, tokens).Select(i => ids is not null && i < ids.Length ? $"{i} {geometry.Token((int)ids[i]).Replace(' ', '␣')}" : $"{i}")];
        Axis Looked(string title, bool isReversed) => new(title) { Categories = names, IsReversed = isReversed };
        HeatMap Map(StoredArray pattern, int? head) => new(
            "", Looked("looked at", false), Looked("looks", true),
            [
                .. Enumerable.Range(0, tokens).Select(query => (IReadOnlyList<double?>)[.. Enumerable.Range(0, tokens).Select(key => key > query && Weight(pattern, head, query, key) == 0 ? null : (double?)Math.Round(Weight(pattern, head, query, key), 3))]),
            ], "weight") { Range = (0, 1) };

        yield return new Figure(
            "Attention over the first tokens of a window",
            new Frames("mean over heads", "layer", [.. patterns.Select(pattern => ($"{pattern.Layer}", (IChart)Map(pattern, null)))]),
            new Frames("each head", "head", [.. patterns.SelectMany(pattern => Enumerable.Range(0, pattern.Shape[0]).Select(head => ($"layer {pattern.Layer}, head {head}", (IChart)Map(pattern, head))))]))
        {
            Height = 560, Measures = ["attention-graph"],
            Caption = "Weights add up to 1 along a row. A strong first column is a sink, a strong diagonal looks at the token itself, a line beside it at the one before. The slider goes through the layers, or through all heads.",
        };
    }

    private static double Weight(StoredArray pattern, int? head, int query, int key)
    {
        int length = pattern.Shape[1];
        double Of(int of) => pattern.Values[(((of * length) + query) * length) + key];
        return head is { } one ? Of(one) : Enumerable.Range(0, pattern.Shape[0]).Average(Of);
    }
}
