using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Experiments.Statistics;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Scaling;

/// <summary>A grid, its result and a coordinate check in a terminal.</summary>
internal static class ScalingTables
{
    // Residuals beyond this are marked, as shares of the loss.
    private const double Large = 0.02;

    /// <summary>Runs with what the law says of them, the law, and where FLOPs are spent best.</summary>
    public static void Show(Output output, ScalingResult result)
    {
        output.Line(result.Title);
        output.Line();
        if (result.Runs.Count > 0)
        {
            output.Table(numbers: true, [["size", "params", "tokens", "loss", "law", "off"], .. result.Runs.Select(Row)]);
            output.Line();
        }

        if (result.Fit is { } fit)
        {
            ScalingLaw law = fit.Law;
            output.Table(
                numbers: true,
                [
                    ["L = E + A/N^α + B/D^β", "", "95 %"],
                    Figure("E", law.E, fit.Intervals["e"], "0.000"),
                    Figure("A", law.A, fit.Intervals["a"], "0.###"),
                    Figure("α", law.Alpha, fit.Intervals["alpha"], "0.000"),
                    Figure("B", law.B, fit.Intervals["b"], "0.###"),
                    Figure("β", law.Beta, fit.Intervals["beta"], "0.000"),
                    Figure("best size grows with C to the", fit.SizeExponent, fit.Intervals["sizeExponent"], "0.000"),
                    Figure("best tokens grow with C to the", fit.TokensExponent, fit.Intervals["tokensExponent"], "0.000"),
                ]);
            output.Line();
            output.Table(
                numbers: true,
                [
                    ["best for C = 6 N D", "params", "tokens", "tokens/param", "loss", ""],
                    .. result.ComputeOptimal.Select(point => (string[])
                    [
                        Display.Short(point.Flops, "FLOP"), Display.Short(point.Parameters), Display.Short(point.Tokens), Display.Number(point.Tokens / point.Parameters, "0.0"),
                        Display.Figure(point.Loss), point.IsExtrapolated ? "extrapolated" : "",
                    ]),
                ]);
            output.Line();
        }

        foreach (string sentence in result.Summary)
        {
            output.Line(sentence);
        }

        foreach (IGrouping<CollectedState, CollectedRun> group in result.Unfinished.GroupBy(run => run.State))
        {
            output.Line($"{Display.Count(group.Count(), "run")} {group.Key.ToString().ToLowerInvariant()}: {string.Join(", ", group.Take(5).Select(run => run.Fault is { } fault ? $"{run.Run} ({fault})" : run.Run))}{(group.Count() > 5 ? " and others" : "")}");
        }
    }

    /// <summary>The powers of the width with which activations grow.</summary>
    public static void Show(Output output, CoordinateCheck check)
    {
        output.Line($"Activations after {Display.Count(check.Steps, "step")} at widths {string.Join(", ", check.Widths)}: the power of the width with which they grow.");
        output.Table(
            numbers: true,
            [
                ["", .. check.Parametrizations.SelectMany(p => new[] { $"{p.Parametrization} |x|", $"{p.Parametrization} change" })],
                .. check.Parametrizations[0].Slopes.Select(slope => (string[])
                [
                    slope.Point,
                    .. check.Parametrizations.Select(p => p.Slopes.First(other => other.Point == slope.Point)).SelectMany(own => new[] { Display.Number(own.OfSize, "0.00"), Display.Number(own.OfChange, "0.00") }),
                ]),
            ]);
        foreach (ParametrizationCheck parametrization in check.Parametrizations)
        {
            output.Line($"{parametrization.Parametrization}: {parametrization.Words}");
        }
    }

    /// <summary>Which runs there are, and what they take.</summary>
    /// <param name="invocation">Of the verb.</param>
    /// <param name="grid">Whose runs.</param>
    /// <param name="folder">What it has already is not done again.</param>
    public static void DryRun(Invocation invocation, ScalingGrid grid, string folder)
    {
        using Backend backend = Devices.Open(invocation);
        var estimator = new RunEstimator(backend);
        (ScalingSize Size, RunEstimate[] Runs)[] sizes =
        [
            .. grid.Sizes.Select(size =>
            {
                RunConfig config = size.Resolve();
                return (size, grid.Cells().Where(cell => cell.Size == size).Select(cell => estimator.LeftOf(cell.ConfigOf(config), RunSet.FolderOf(folder, cell.Name))).ToArray());
            }),
        ];
        RunEstimate[] all = [.. sizes.SelectMany(size => size.Runs)];
        int over = all.Count(estimate => estimate.IsOver);
        Output output = invocation.Output;
        output.Table(
            numbers: true,
            [
                ["size", "params", "FLOP/token", "tokens/s", "memory", "runs", "all of them"],
                .. sizes.Select(size => (string[])
                [
                    size.Size.Name, Display.Short(size.Size.Parameters), Display.Short(size.Size.FlopsPerToken), Display.Count((long)size.Runs[0].TokensPerSecond), Display.Bytes(size.Runs[0].ResidentBytes),
                    Display.Count(size.Runs.Length), Display.Clock(size.Runs.Sum(run => run.Seconds)),
                ]),
            ]);
        output.Line($"{Display.Count(all.Length, "run")} of {string.Join(", ", grid.Tokens.Select(Display.Count))} tokens{RunSetTable.Over(over)} {Display.Count((long)all.Sum(run => run.Tokens))} in all, about {Display.Clock(all.Sum(run => run.Seconds))} one after the other; at most {Display.Bytes(all.Max(run => run.ResidentBytes))} a run");
        output.Result(new JsonObject
        {
            ["runs"] = all.Length,
            ["over"] = over,
            ["tokens"] = all.Sum(run => run.Tokens),
            ["seconds"] = all.Sum(run => run.Seconds),
            ["peakBytes"] = all.Max(run => run.ResidentBytes),
            ["sizes"] = new JsonArray([.. sizes.Select(size => (JsonNode)new JsonObject
            {
                ["name"] = size.Size.Name,
                ["width"] = size.Size.Width,
                ["layers"] = size.Size.Layers,
                ["parameters"] = size.Size.Parameters,
                ["flopsPerToken"] = size.Size.FlopsPerToken,
                ["tokensPerSecond"] = size.Runs[0].TokensPerSecond,
                ["peakBytes"] = size.Runs.Max(run => run.ResidentBytes),
                ["seconds"] = size.Runs.Sum(run => run.Seconds),
            })]),
        });
    }

    private static string[] Row(ScalingRun run) =>
    [
        run.Size, Display.Short(run.Parameters), Display.Count(run.Tokens), Display.Figure(run.Loss), run.Predicted is { } law ? Display.Figure(law) : "",
        run.Residual is { } off ? (100 * off).ToString("+0.00;-0.00", CultureInfo.InvariantCulture) + " %" + (Math.Abs(off) > Large ? " !" : "") : "",
    ];

    private static string[] Figure(string name, double value, Interval interval, string format) =>
        [name, ScalingLaw.Text(value, format), $"[{ScalingLaw.Text(interval.Low, format)}, {ScalingLaw.Text(interval.High, format)}]"];
}
