using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry.Network;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;

namespace NanoFold.Engine.Geometry.Measures;

/// <summary>
/// How much of what a changed token does to the loss goes through each mixer and feed-forward, exactly by patching, and estimated by one backward pass for all of them at every place
/// (attribution patching), with the rank correlation of estimate and truth: over all parts, and over a sample of single places.
/// </summary>
public sealed record AttributionMeasure : NetworkMeasure
{
    /// <summary>Windows, evenly spaced over those of the probe; in each a token is changed.</summary>
    [Bounds(1, 1024)]
    public int Windows { get; init; } = 8;

    /// <summary>Places of a window, from its beginning.</summary>
    [Bounds(2, 1 << 20)]
    public int Tokens { get; init; } = 32;

    /// <summary>Single places of parts that are checked exactly: half of them those of the largest estimates, half drawn from all.</summary>
    [Bounds(2, 1 << 20)]
    public int Sample { get; init; } = 32;

    /// <inheritdoc/>
    public override string Legend => $"effect, estimate = what a part of a text with a changed token adds to the loss of a window, exactly and by the gradient; total: all of it; ρ: rank correlation of both over parts, over single places, over random ones; {Windows} windows of {Tokens} places at most";

    /// <inheritdoc/>
    public override IReadOnlyList<FigureColumn> Columns =>
    [
        new("exactEffect", "effect", "0.000"), new("estimatedEffect", "estimate", "0.000"), new("totalEffect", "total", "0.000"), new("partSpearman", "ρ parts", "0.00"),
        new("placeSpearman", "ρ places", "0.00"), new("randomPlaceSpearman", "ρ random", "0.00"),
    ];

    /// <inheritdoc/>
    public override void Take(NetworkSample network, FigureWriter figures)
    {
        using var patching = new AttributionPatching(network, Windows, Tokens, network.Seed);
        if (!patching.IsChanged)
        {
            figures.Add("totalEffect", null, GeometryStatus.Degenerate, patching.HasLosses ? "there is no other token to change one into" : "the task's loss is not one of places", 0);
            return;
        }

        string how = $"{(patching.IsDouble ? "float64" : "float32")}, nats of a window of {patching.Time} places";
        Mean total = default;
        foreach (double effect in patching.Effects)
        {
            total.Add(effect);
        }

        figures.Add("totalEffect", total.Value, total.Status, $"loss with the changed token less that without, {how}", total.Count, total.Error);
        (double[] estimated, double[] exact) = Parts(patching, figures, how);
        Correlate(figures, "partSpearman", estimated, exact, "all parts and windows, all places of a part together");
        (List<double> estimates, List<double> truths, List<double> drawn, List<double> drawnTruths) = Places(patching, network.Seed);
        Correlate(figures, "placeSpearman", [.. estimates, .. drawn], [.. truths, .. drawnTruths], "half the largest estimates of each window, half drawn from its places from the changed one on");
        Correlate(figures, "randomPlaceSpearman", [.. drawn], [.. drawnTruths], "drawn from the places from the changed one on");
        figures.Array("changedPlaces", [patching.Windows], patching.Changed.AsSpan());
        figures.Array("estimates", [patching.Parts.Count, patching.Windows, patching.Time], patching.Estimates.SelectMany(part => part).ToArray().AsSpan());
    }

    private static (double[] Estimated, double[] Exact) Parts(AttributionPatching patching, FigureWriter figures, string how)
    {
        List<double> estimated = [], exact = [];
        for (int part = 0; part < patching.Parts.Count; part++)
        {
            Mean effect = default, estimate = default;
            double[] effects = patching.Exact(part);
            for (int window = 0; window < patching.Windows; window++)
            {
                double sum = patching.Estimates[part].Skip(window * patching.Time).Take(patching.Time).Sum();
                effect.Add(effects[window]);
                estimate.Add(sum);
                estimated.Add(sum);
                exact.Add(effects[window]);
            }

            FigureWriter at = figures.At(new FigurePlace("network", patching.Parts[part].Name, patching.Parts[part].Layer));
            at.Add("exactEffect", effect.Value, effect.Status, $"value with the changed token put in, {how}", effect.Count, effect.Error);
            at.Add("estimatedEffect", estimate.Value, estimate.Status, $"difference of both values times the gradient, {how}", estimate.Count, estimate.Error);
        }

        return ([.. estimated], [.. exact]);
    }

    // The largest estimates of each window, and as many places drawn from all others.
    private (List<double> Largest, List<double> LargestTruths, List<double> Drawn, List<double> DrawnTruths) Places(AttributionPatching patching, ulong seed)
    {
        int each = Math.Max(1, Sample / patching.Windows / 2);
        var random = new GaussianSource(GaussianSource.Mix(seed, 1));
        (int Part, int Place)[][] nodes = new (int, int)[patching.Windows][];
        for (int window = 0; window < patching.Windows; window++)
        {
            (int Part, int Place)[] all =
            [
                .. Enumerable.Range(0, patching.Parts.Count)
                    .SelectMany(part => Enumerable.Range(patching.Changed[window], patching.Time - patching.Changed[window]).Select(place => (part, place)))
                    .OrderByDescending(node => Math.Abs(patching.Estimates[node.part][(window * patching.Time) + node.place])),
            ];
            (int Part, int Place)[] others = all[Math.Min(each, all.Length)..];
            nodes[window] = [.. all.Take(each), .. Enumerable.Range(0, others.Length > 0 ? each : 0).Select(_ => others[random.NextInt(others.Length)])];
        }

        (List<double> Largest, List<double> LargestTruths, List<double> Drawn, List<double> DrawnTruths) found = ([], [], [], []);
        int least = nodes.Min(one => one.Length);
        for (int i = 0; i < least; i++)
        {
            (int Part, int Place)[] now = [.. nodes.Select(one => one[i])];
            double[] exact = patching.Exact(now);
            for (int window = 0; window < now.Length; window++)
            {
                double estimate = patching.Estimates[now[window].Part][(window * patching.Time) + now[window].Place];
                (i < each ? found.Largest : found.Drawn).Add(estimate);
                (i < each ? found.LargestTruths : found.DrawnTruths).Add(exact[window]);
            }
        }

        return found;
    }

    private static void Correlate(FigureWriter figures, string name, double[] estimated, double[] exact, string over)
    {
        double? correlation = RankCorrelation.Spearman(estimated, exact);
        figures.Add(name, correlation, correlation is null ? GeometryStatus.TooFewPoints : GeometryStatus.Ok, $"Spearman of estimate and exact effect, {over}", exact.Length);
    }
}
