using System.Globalization;
using NanoFold.Engine;
using NanoFold.Reports.Charts;
using NanoFold.Reports.Geometry;

namespace NanoFold.Reports.Runs;

/// <summary>The views of what a measure found: one for each of its figures.</summary>
internal static class MeasureViews
{
    // Figures that are shown first where a measure has them; the others follow.
    private static readonly string[] s_first = ["participationRatio", "dimension", "meanCosineWithoutFirst", "firstTokenMass", "mixerShare", "gateMean", "norm"];

    /// <summary>How a reader goes through them, for a caption.</summary>
    public static string Choices(IReadOnlyList<IChart> views)
        => (views.Count > 1 ? " Buttons choose the figure." : "") + (views.Any(view => view is Frames) ? " A slider goes through the classes, numbers or places that it is of." : "");

    /// <summary>A view for each figure; one that was taken of several classes, numbers or places in the layer goes through them under a slider.</summary>
    /// <param name="values">All that the measure found.</param>
    /// <param name="of">The name of a figure and the point where it was taken.</param>
    /// <param name="draw">Draws what a view shows, of its name.</param>
    public static IEnumerable<IChart> Of<T>(IEnumerable<T> values, Func<T, (string Figure, string Point)> of, Func<string, IReadOnlyList<T>, IChart> draw)
    {
        (T Value, string Name, string Place, string Suffix)[] all =
        [
            .. from value in values
               let figure = of(value).Figure.Split('.', 2)
               select (value, figure[0], DepthPoint.InLayer(of(value).Point), figure.ElementAtOrDefault(1) ?? ""),
        ];
        bool hasPlaces = all.Select(value => value.Place).Distinct().Skip(1).Any();
        foreach (var figure in all.GroupBy(value => value.Name).OrderBy(figure => Array.IndexOf(s_first, figure.Key) is var at and >= 0 ? at : s_first.Length))
        {
            (string Name, T[] Values)[] variants =
            [
                .. from value in figure
                   group value by (Place: hasPlaces ? value.Place : "", value.Suffix) into variant
                   orderby variant.Key.Place, double.TryParse(variant.Key.Suffix, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : 0
                   select (string.Join(" · ", new[] { variant.Key.Place, Display.Words(variant.Key.Suffix) }.Where(word => word.Length > 0)), variant.Select(value => value.Value).ToArray()),
            ];
            string name = Display.Words(figure.Key);
            yield return variants is [var one] ? draw($"{name} {one.Name}".TrimEnd(), one.Values) : new Frames(name, "of", [.. variants.Select(variant => (variant.Name.Length > 0 ? variant.Name : "all", draw(name, variant.Values)))]);
        }
    }
}
