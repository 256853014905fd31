using NanoFold.Reports.Charts;
using NanoFold.Reports.Items;

namespace NanoFold.Reports.Runs;

/// <summary>A model by what it reaches and what it costs; null where that is not known.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Color">Its color.</param>
/// <param name="Style">The shape of its points.</param>
/// <param name="Value">What it reaches, over its seeds the mean.</param>
internal sealed record CostPoint(string Name, Color Color, int Style, double? Value)
{
    /// <summary>Whether it is shown on a click only.</summary>
    public bool IsHidden { get; init; }

    public double? Parameters { get; init; }

    /// <summary>Of the whole training.</summary>
    public double? Flops { get; init; }

    /// <summary>Of the whole training.</summary>
    public double? Seconds { get; init; }

    /// <summary>Bytes a token that decoding keeps.</summary>
    public double? CacheBytes { get; init; }

    /// <summary>Of each seed its value and its seconds.</summary>
    public IReadOnlyList<(double Value, double Seconds)> Seeds { get; init; } = [];
}

/// <summary>What models reach against what they cost, with the front of those that none beats in both.</summary>
internal static class ParetoFigure
{
    private const int MostLabels = 12;

    // What is held equal is no cost to choose by.
    private const double LeastSpread = 1.05;

    private static readonly (string Name, string Title, Func<CostPoint, double?> Cost)[] s_costs =
    [
        ("parameters", "parameters", point => point.Parameters),
        ("FLOPs", "training FLOPs", point => point.Flops),
        ("seconds", "seconds of training", point => point.Seconds),
        ("cache", "cache, bytes per token", point => point.CacheBytes),
    ];

    /// <summary>A figure with a view for each cost in which two models at least differ; none where there is none.</summary>
    /// <param name="points">The models.</param>
    /// <param name="figure">What they reach, with its unit.</param>
    /// <param name="isLowerBetter">Whether less is better.</param>
    public static IEnumerable<Figure> Of(IReadOnlyList<CostPoint> points, string figure, bool isLowerBetter)
    {
        Chart[] views =
        [
            .. from cost in s_costs
               let known = points.Where(point => point.Value is not null && cost.Cost(point) is > 0).ToArray()
               where known.Length > 1 && known.Max(cost.Cost) > LeastSpread * known.Min(cost.Cost)
               select View(cost.Name, cost.Title, cost.Cost, known, figure, isLowerBetter),
        ];
        return views.Length == 0 ? [] : [new Figure($"{char.ToUpperInvariant(figure[0])}{figure[1..]} against cost", views)
        {
            Height = 460, Caption = "The gray line joins those that no other one beats in both. Rings are means over seeds, small points are seeds." + (points.Any(point => point.IsHidden) ? " Some others are shown on a click only." : ""),
        }];
    }

    private static Chart View(string name, string title, Func<CostPoint, double?> cost, CostPoint[] points, string figure, bool isLowerBetter)
    {
        double[] costs = [.. points.Select(point => cost(point)!.Value)];
        CostPoint[] front = [.. Front(points, cost, isLowerBetter)];
        // Those on the front are shown: it leads to no empty place.
        bool IsHidden(CostPoint point) => point.IsHidden && !front.Contains(point);
        bool isLogarithmic = costs.Max() > 3 * costs.Min();
        return new Chart(name, new Axis(title) { IsLogarithmic = isLogarithmic }, new Axis(figure),
        [
            new Series("front", [.. front.Select(cost)], [.. front.Select(point => point.Value)]) { Color = Color.Soft, Size = 0.7, IsInLegend = false },
            .. points.Where(point => point.Seeds.Count > 1).Select(point => new Series(
                point.Name, [.. point.Seeds.Select(seed => name == "seconds" ? seed.Seconds : cost(point))], [.. point.Seeds.Select(seed => (double?)seed.Value)])
            {
                Kind = SeriesKind.Points, Color = point.Color, Style = point.Style, Size = 0.7, IsInLegend = false, IsHidden = IsHidden(point),
            }),
            .. points.Select(point => new Series(point.Name, [cost(point)], [point.Value])
            {
                Kind = SeriesKind.Means, Color = point.Color, Style = point.Style, IsHidden = IsHidden(point), Labels = [point.Name], ShowsLabels = points.Length <= MostLabels, LabelPlace = Place(point, points, cost, isLogarithmic),
            }),
        ]);
    }

    // Labels stay inside the figure, and out of the way of a neighbor's.
    private static LabelPlace Place(CostPoint point, CostPoint[] points, Func<CostPoint, double?> cost, bool isLogarithmic)
    {
        double X(CostPoint p) => isLogarithmic ? Math.Log(cost(p)!.Value) : cost(p)!.Value;
        double Y(CostPoint p) => p.Value!.Value;
        double width = points.Max(X) - points.Min(X), height = points.Max(Y) - points.Min(Y), x = width > 0 ? (X(point) - points.Min(X)) / width : 0.5;
        CostPoint[] near = [.. points.Where(other => other != point && Math.Abs(X(other) - X(point)) <= 0.15 * width && Math.Abs(Y(other) - Y(point)) <= 0.1 * height)];
        bool isBelow = near.Any(other => Y(other) > Y(point));
        return x > 0.8 ? near.Length == 0 ? LabelPlace.Left : isBelow ? LabelPlace.BelowLeft : LabelPlace.AboveLeft
            : x < 0.2 && near.Length == 0 ? LabelPlace.Right : isBelow ? LabelPlace.Below : LabelPlace.Above;
    }

    private static IEnumerable<CostPoint> Front(IEnumerable<CostPoint> points, Func<CostPoint, double?> cost, bool isLowerBetter)
    {
        double best = double.PositiveInfinity;
        foreach (CostPoint point in points.OrderBy(cost).ThenBy(point => isLowerBetter ? point.Value : -point.Value))
        {
            double value = isLowerBetter ? point.Value!.Value : -point.Value!.Value;
            if (value < best)
            {
                best = value;
                yield return point;
            }
        }
    }
}
