using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Compare;

/// <summary><c>compare --dry-run</c>: which runs there are, and what they take, by plan and a short measurement.</summary>
internal static class CompareDryRun
{
    public static void Show(Invocation invocation, Comparison comparison, ComparisonRuns runs)
    {
        using Backend backend = Devices.Open(invocation);
        var estimator = new RunEstimator(backend);
        RunEstimate[] estimates = [.. comparison.Variants.Select(variant => estimator.Of(runs.ConfigOf(variant)))];
        double share = RunsOf(comparison), seconds = estimates.Sum(estimate => estimate.Seconds) * share, tokens = estimates.Sum(estimate => estimate.Tokens) * share;
        Output output = invocation.Output;
        output.Table(
            numbers: true,
            [
                ["variant", "steps", "tokens/s", "memory", "a run"],
                .. comparison.Variants.Zip(estimates, (variant, estimate) => (string[])[variant.Name, Display.Count(estimate.Steps), Display.Count((long)estimate.TokensPerSecond), Display.Bytes(estimate.ResidentBytes), Time(estimate.Seconds)]),
            ]);
        output.Line($"{Display.Count(comparison.RunCount, "run")}, {Display.Count((long)tokens)} tokens, about {Time(seconds)} one after the other; at most {Display.Bytes(estimates.Max(estimate => estimate.ResidentBytes))} a run");
        output.Result(new JsonObject
        {
            ["runs"] = comparison.RunCount,
            ["tokens"] = tokens,
            ["seconds"] = seconds,
            ["peakBytes"] = estimates.Max(estimate => estimate.ResidentBytes),
            ["variants"] = new JsonArray([.. comparison.Variants.Zip(estimates, (variant, estimate) => (JsonNode)new JsonObject
            {
                ["name"] = variant.Name,
                ["parameters"] = variant.Parameters,
                ["flopsPerToken"] = variant.FlopsPerToken,
                ["cacheBytesPerToken"] = variant.CacheBytesPerToken,
                ["residual"] = variant.Residual,
                ["solved"] = new JsonObject(variant.Solved.Select(solved => KeyValuePair.Create(solved.Key, (JsonNode?)solved.To))),
                ["tokens"] = estimate.Tokens,
                ["tokensPerSecond"] = estimate.TokensPerSecond,
                ["peakBytes"] = estimate.ResidentBytes,
                ["seconds"] = estimate.Seconds,
            })]),
        });
    }

    // Runs of a variant, those of a search as the share of a whole one that they are.
    private static double RunsOf(Comparison comparison)
        => !comparison.Searches ? comparison.Seeds.Count
            : comparison.SearchShare < 1 ? comparison.Seeds.Count + (comparison.Points.Count * comparison.SearchShare)
            : comparison.Seeds.Count - 1 + comparison.Points.Count;

    private static string Time(double seconds) => seconds < 90 ? $"{Display.Number(seconds, "0")} s" : seconds < 5400 ? $"{Display.Number(seconds / 60, "0")} min" : $"{Display.Number(seconds / 3600, "0.0")} h";
}
