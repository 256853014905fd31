using System.Globalization;
using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>What a fit says, and what it does not, in sentences.</summary>
internal static class ScalingWords
{
    // Below this share of explained spread, or above this error, the law is not what the runs follow.
    private const double LeastR2 = 0.95, MostError = 0.03;

    // An exponent whose interval is wider than this is not known.
    private const double MostWidth = 0.3;

    // What α and β are in no published fit: one term has taken the place of the other, or of E.
    private const double LeastExponent = 0.02, MostExponent = 2;

    public static IEnumerable<string> Of(ScalingFit fit, IReadOnlyList<ScalingPoint> points, IReadOnlyList<ComputePoint> line)
    {
        ScalingLaw law = fit.Law;
        yield return Text($"L = {law.E:0.###} + {ScalingLaw.Text(law.A)} / N^{law.Alpha:0.000} + {ScalingLaw.Text(law.B)} / D^{law.Beta:0.000}, fitted to {fit.Runs} runs: it explains {100 * fit.R2:0.0} % of the spread of log L and is off by {100 * fit.RmsResidual:0.00} % of the loss (root of the mean square).");
        if (fit.R2 < LeastR2 || fit.RmsResidual > MostError)
        {
            yield return "The law does not fit these runs; what follows from it is not to be used. See the residuals: a rate that suits one size and not another, or too few steps of warm-up, look like this.";
        }

        Interval size = fit.Intervals["sizeExponent"];
        yield return Text($"Where FLOPs are spent best, N grows with C^{fit.SizeExponent:0.00} {Range(size)} and D with C^{fit.TokensExponent:0.00} {Range(fit.Intervals["tokensExponent"])} (95 %).");
        if (size.High - size.Low > MostWidth)
        {
            yield return "That interval is wide: these runs do not tell how FLOPs are best divided between size and tokens. More sizes, more tokens or more seeds would.";
        }

        foreach (string doubt in Doubts(fit, points))
        {
            yield return doubt;
        }

        if (fit.HeldOut is { } held)
        {
            yield return Text($"A law fitted without the largest run ({Display.Short(held.Parameters)} parameters, {Display.Short(held.Tokens)} tokens) says {held.Predicted:0.0000} for it; it reached {held.Loss:0.0000} ({Display.Signed(100 * (held.Predicted / held.Loss - 1), "0.00")} %).");
        }

        if (line.All(point => point.IsExtrapolated))
        {
            yield return "For no number of FLOPs between the runs' do the best size and tokens lie within what was trained: the line of best sizes is extrapolated throughout.";
        }
    }

    private static IEnumerable<string> Doubts(ScalingFit fit, IReadOnlyList<ScalingPoint> points)
    {
        ScalingLaw law = fit.Law;
        double smallest = points.Min(p => p.Loss);
        Interval e = fit.Intervals["e"];
        if (law.E < 0.02 * smallest)
        {
            yield return "E is at 0: these runs show no loss that larger models and more tokens would not get below.";
        }
        else if (e.High - e.Low > 0.3 * smallest)
        {
            yield return Text($"E is not determined: anything from {e.Low:0.00} to {e.High:0.00} fits, and α and β go with it.");
        }

        foreach ((string name, string of, double exponent, Func<ScalingPoint, double> term) in new (string, string, double, Func<ScalingPoint, double>)[]
        {
            ("α", "size", law.Alpha, p => law.A * Math.Pow(p.Parameters, -law.Alpha)),
            ("β", "number of tokens", law.Beta, p => law.B * Math.Pow(p.Tokens, -law.Beta)),
        })
        {
            double difference = (points.Max(term) - points.Min(term)) / smallest;
            if (difference < 2 * fit.RmsResidual)
            {
                yield return Text($"The {of} makes no difference that these runs show: {100 * difference:0.00} % of the loss from one end to the other. {name} means nothing.");
            }
            else if (exponent is < LeastExponent or > MostExponent)
            {
                yield return Text($"{name} = {exponent:0.000} is at the edge of what a power of the {of} can be told from: do not use it outside of these runs.");
            }
        }

        double? noise = Noise(points);
        if (noise is { } seeds && fit.RmsResidual > 2 * seeds)
        {
            yield return Text($"The law is off by more than seeds differ ({100 * fit.RmsResidual:0.00} % beside {100 * seeds:0.00} %): something besides size and tokens decides.");
        }
    }

    // Standard deviation of log L over seeds, of all cells together; null of one seed.
    private static double? Noise(IReadOnlyList<ScalingPoint> points)
    {
        double[][] cells = [.. points.GroupBy(p => (p.Parameters, p.Tokens)).Select(cell => cell.Select(p => Math.Log(p.Loss)).ToArray()).Where(cell => cell.Length > 1)];
        return cells.Length == 0 ? null : Math.Sqrt(cells.Sum(cell => cell.Sum(x => (x - cell.Average()) * (x - cell.Average()))) / cells.Sum(cell => cell.Length - 1));
    }

    private static string Range(Interval interval) => Text($"[{interval.Low:0.00}, {interval.High:0.00}]");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
