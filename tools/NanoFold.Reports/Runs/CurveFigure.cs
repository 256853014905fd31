using NanoFold.Reports.Charts;

namespace NanoFold.Reports.Runs;

/// <summary>A curve as it is shown.</summary>
/// <param name="Name">In the legend.</param>
/// <param name="Curve">The curve.</param>
/// <param name="Style">What its series is like; its name and points are replaced.</param>
internal sealed record ShownCurve(string Name, Curve Curve, Series Style);

/// <summary>Views of curves against tokens, FLOPs, seconds and steps.</summary>
internal static class CurveFigure
{
    /// <summary>Points that a page shows of all curves of one view.</summary>
    private const int MostPoints = 12_000;
    private const int MostOfOne = 800;

    private static readonly (string Name, string Title, Func<CurvePoint, double> Place)[] s_places =
    [
        ("tokens", "tokens", point => point.Tokens),
        ("FLOPs", "training FLOPs", point => point.Flops),
        ("seconds", "seconds", point => point.Seconds),
        ("steps", "steps", point => point.Step),
    ];

    /// <summary>A view for each of them.</summary>
    /// <param name="y">What the curves are of.</param>
    /// <param name="curves">In the order of the legend.</param>
    public static IReadOnlyList<IChart> Views(Axis y, IReadOnlyList<ShownCurve> curves)
    {
        int most = Math.Clamp(MostPoints / Math.Max(1, curves.Count), 100, MostOfOne);
        Curve[] thinned = [.. curves.Select(curve => curve.Curve.Thinned(most))];
        return
        [
            .. s_places.Select(place => new Chart(place.Name, new Axis(place.Title), y,
            [
                .. curves.Select((curve, i) => curve.Style with
                {
                    Name = curve.Name,
                    X = [.. thinned[i].Points.Select(point => (double?)place.Place(point))],
                    Y = [.. thinned[i].Points.Select(point => (double?)point.Value)],
                }),
            ])),
        ];
    }

    /// <summary>A style without points.</summary>
    public static Series Style { get; } = new("", [], []);
}
