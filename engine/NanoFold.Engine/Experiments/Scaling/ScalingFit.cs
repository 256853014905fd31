using NanoFold.Engine.Experiments.Statistics;

namespace NanoFold.Engine.Experiments.Scaling;

/// <summary>A law fitted to runs, and how far it can be believed.</summary>
public sealed record ScalingFit
{
    /// <summary>δ of the Huber loss on log L, of arXiv 2203.15556.</summary>
    public const double Delta = 1e-3;

    /// <summary>Fewer different pairs of size and tokens than this, or fewer sizes or budgets than <see cref="LeastValues"/>, say nothing about five numbers.</summary>
    public const int LeastRuns = 7, LeastValues = 3;

    /// <summary>Laws that intervals are percentiles of.</summary>
    internal const int Draws = 300;

    // Different pairs of size and tokens of a draw: one more than numbers of the law.
    private const int LeastDistinct = 6;
    private const double Outside = 0.05;

    /// <summary>The law.</summary>
    public required ScalingLaw Law { get; init; }

    /// <summary>N grows with this power of the FLOPs where they are spent best: β / (α + β).</summary>
    public double SizeExponent => Law.SizeExponent;

    /// <summary>D grows with this power of them: α / (α + β).</summary>
    public double TokensExponent => Law.TokensExponent;

    /// <summary>95 % intervals of E, A, α, B, β, <see cref="SizeExponent"/> and <see cref="TokensExponent"/>, by their names in JSON: percentiles of laws fitted to runs drawn with replacement.</summary>
    public required IReadOnlyDictionary<string, Interval> Intervals { get; init; }

    /// <summary>The share of the spread of log L that the law explains.</summary>
    public required double R2 { get; init; }

    /// <summary>√ of the mean square of log L − log L̂: 0.01 is 1 % of the loss.</summary>
    public required double RmsResidual { get; init; }

    /// <summary>How many runs it was fitted to.</summary>
    public required int Runs { get; init; }

    /// <summary>What a law without the run of most FLOPs says about that run; null where too few would be left.</summary>
    public HeldOutRun? HeldOut { get; init; }

    /// <summary>In a line, why no law is fitted to such runs; null where one is.</summary>
    public static string? WhyNot(IReadOnlyList<ScalingPoint> points)
    {
        int sizes = points.Select(p => p.Parameters).Distinct().Count(), budgets = points.Select(p => p.Tokens).Distinct().Count();
        // Further seeds of a pair say what it is more exactly, and nothing about others.
        int cells = Cells(points);
        return cells < LeastRuns && cells < points.Count ? $"{points.Count} finished runs of {cells} different pairs of size and tokens are too few for a law of five numbers; {LeastRuns} pairs are needed"
            : cells < LeastRuns ? $"{Number(points.Count, "finished run")} too few for a law of five numbers; {LeastRuns} are needed"
            : sizes < LeastValues ? $"{Number(sizes, "size")} too few; {LeastValues} are needed to see how the loss depends on the size"
            : budgets < LeastValues ? $"{(budgets == 1 ? "1 number of tokens is" : $"{budgets} numbers of tokens are")} too few; {LeastValues} are needed to see how the loss depends on them"
            : null;
    }

    /// <summary>Fits a law.</summary>
    /// <param name="points">As many as <see cref="WhyNot"/> asks for, with losses of more than 0.</param>
    /// <exception cref="ArgumentException">There are too few.</exception>
    public static ScalingFit Of(IReadOnlyList<ScalingPoint> points) => Of(points, Draws);

    internal static ScalingFit Of(IReadOnlyList<ScalingPoint> points, int draws)
    {
        if (WhyNot(points) is { } reason)
        {
            throw new ArgumentException($"scaling: {reason}");
        }

        ScalingLaw law = LawOf(points);
        double[] logs = [.. points.Select(p => Math.Log(p.Loss))];
        double mean = logs.Average(), spread = logs.Sum(log => (log - mean) * (log - mean)), left = points.Sum(p => Math.Pow(Residual(law, p), 2));
        return new ScalingFit
        {
            Law = law,
            Intervals = IntervalsOf(points, law, draws),
            R2 = spread > 0 ? 1 - left / spread : 0,
            RmsResidual = Math.Sqrt(left / points.Count),
            Runs = points.Count,
            HeldOut = HeldOutRun.Of(points),
        };
    }

    /// <summary>log L − log L̂.</summary>
    public static double Residual(ScalingLaw law, ScalingPoint point) => Math.Log(point.Loss) - Math.Log(law.Loss(point.Parameters, point.Tokens));

    internal static ScalingLaw LawOf(IReadOnlyList<ScalingPoint> points) => new LawFitter(points, Delta).Fit([.. points.Select(p => p.Loss)]).Law;

    // Whole runs are drawn, as in arXiv 2203.15556.
    private static Dictionary<string, Interval> IntervalsOf(IReadOnlyList<ScalingPoint> points, ScalingLaw law, int draws)
    {
        var random = new Random(1);
        var laws = new ScalingLaw[draws];
        for (int i = 0; i < draws; i++)
        {
            ScalingPoint[] drawn;
            do
            {
                drawn = [.. points.Select(_ => points[random.Next(points.Count)])];
            }
            while (Cells(drawn) < LeastDistinct || drawn.DistinctBy(p => p.Parameters).Count() < LeastValues || drawn.DistinctBy(p => p.Tokens).Count() < LeastValues);

            laws[i] = new LawFitter(drawn, Delta).FitFrom(law, [.. drawn.Select(p => p.Loss)]);
        }

        return new Dictionary<string, Interval>
        {
            ["e"] = Middle(laws, l => l.E),
            ["a"] = Middle(laws, l => l.A),
            ["alpha"] = Middle(laws, l => l.Alpha),
            ["b"] = Middle(laws, l => l.B),
            ["beta"] = Middle(laws, l => l.Beta),
            ["sizeExponent"] = Middle(laws, l => l.SizeExponent),
            ["tokensExponent"] = Middle(laws, l => l.TokensExponent),
        };
    }

    private static string Number(int count, string noun) => count == 1 ? $"1 {noun} is" : $"{count} {noun}s are";

    private static int Cells(IEnumerable<ScalingPoint> points) => points.DistinctBy(p => (p.Parameters, p.Tokens)).Count();

    private static Interval Middle(ScalingLaw[] laws, Func<ScalingLaw, double> of)
    {
        double[] values = [.. laws.Select(of).Order()];
        int tail = (int)(values.Length * Outside / 2);
        return new Interval(values[tail], values[^(tail + 1)]);
    }
}

/// <summary>The run of most FLOPs beside what the others say about it.</summary>
/// <param name="Parameters">N.</param>
/// <param name="Tokens">D.</param>
/// <param name="Loss">What it reached.</param>
/// <param name="Predicted">By a law that was fitted without it and all runs like it.</param>
public sealed record HeldOutRun(double Parameters, double Tokens, double Loss, double Predicted)
{
    internal static HeldOutRun? Of(IReadOnlyList<ScalingPoint> points)
    {
        ScalingPoint last = points.MaxBy(p => p.Parameters * p.Tokens);
        bool IsLike(ScalingPoint p) => p.Parameters == last.Parameters && p.Tokens == last.Tokens;
        ScalingPoint[] others = [.. points.Where(p => !IsLike(p))];
        return ScalingFit.WhyNot(others) is null
            ? new HeldOutRun(last.Parameters, last.Tokens, points.Where(IsLike).Average(p => p.Loss), ScalingFit.LawOf(others).Loss(last.Parameters, last.Tokens))
            : null;
    }
}
