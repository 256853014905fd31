using System.Globalization;
using NanoFold.Engine;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Geometry;

/// <summary>What the model would say if it ended after a layer, at the last places of a window, of the last checkpoint.</summary>
internal static class LensTable
{
    private const int MostPlaces = 12, MostTokens = 3;

    public static IEnumerable<IReportItem> Of(RunGeometry geometry)
    {
        StoredArray[] arrays = [.. geometry.Arrays("logit-lens", ["places", "tokens", "topTokens", "topProbabilities"], steps => [.. steps.TakeLast(1)])];
        double[]? read = arrays.FirstOrDefault(array => array.Name == "tokens")?.Values;
        Layer[] layers =
        [
            .. from array in arrays
               where array is { Name: "topTokens", Layer: not null, Shape: [> 0, > 0] }
               let probabilities = arrays.FirstOrDefault(other => other.Name == "topProbabilities" && other.Point == array.Point)
               let places = arrays.FirstOrDefault(other => other.Name == "places" && other.Point == array.Point)
               where probabilities?.Values.Length == array.Values.Length && places?.Values.Length == array.Shape[0]
               orderby array.Layer, array.Point.EndsWith("hook_resid_pre", StringComparison.Ordinal) descending
               select new Layer(array.Point.EndsWith("hook_resid_pre", StringComparison.Ordinal) ? "in" : $"{array.Layer}", array, probabilities.Values, places.Values),
        ];
        if (layers.Length == 0)
        {
            yield break;
        }

        Layer last = layers[^1];
        int count = last.Places.Length, first = Math.Max(0, count - MostPlaces);
        ReportColumn Column(int place)
        {
            string at = last.Places[place].ToString("0", CultureInfo.InvariantCulture);
            return new(read is not null && place < read.Length ? Shown(geometry, read[place]) : at, IsText: true, $"place {at} of the window: what should follow this token");
        }

        yield return new ReportTable(
            [new ReportColumn("layer"), .. Enumerable.Range(first, count - first).Select(Column)],
            [
                .. layers.Select((layer, depth) => (IReadOnlyList<Cell>)
                [
                    new Cell(layer.Name, depth),
                    .. Enumerable.Range(first, count - first).Select(place => new Cell(Said(geometry, layer, place), layer.Probability(place, 0), layer.Token(place, 0) == last.Token(place, 0) ? Tone.Good : Tone.Plain)),
                ]),
            ])
        {
            Title = $"What each layer would say, after {Display.Count(last.Tokens.Step)} steps",
            Caption = "The last norm and head applied to the stream after each layer (logit lens): the likeliest tokens to follow the one that heads the column, with the probability of the first. Green: already the model's own first choice. `in` is the input of the first block. The definition is that of `logit-lens` below.",
        };
    }

    private static string Said(RunGeometry geometry, Layer layer, int place)
        => $"{string.Join(" ", Enumerable.Range(0, Math.Min(MostTokens, layer.Tokens.Shape[1])).Select(rank => Shown(geometry, layer.Token(place, rank))))} {layer.Probability(place, 0).ToString("P0", CultureInfo.InvariantCulture)}";

    // Spaces of tokens are seen.
    private static string Shown(RunGeometry geometry, double token) => geometry.Token((int)token).Replace(' ', '␣');

    private sealed record Layer(string Name, StoredArray Tokens, double[] Probabilities, double[] Places)
    {
        public double Token(int place, int rank) => Tokens.Values[(place * Tokens.Shape[1]) + rank];

        public double Probability(int place, int rank) => Probabilities[(place * Tokens.Shape[1]) + rank];
    }
}
