using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
using NanoFold.Engine;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Compare;

/// <summary><c>compare --dry-run</c>: which runs there are, and what they take, by plan and a short measurement.</summary>
internal static class CompareDryRun
{
    /// <param name="invocation">Of the verb.</param>
    /// <param name="comparison">What is compared.</param>
    /// <param name="runs">Its runs.</param>
    /// <param name="running">How they would be carried out; what its folder has already is not done again.</param>
    public static void Show(Invocation invocation, Comparison comparison, ComparisonRuns runs, RunSetOptions running)
    {
        int jobs = running.Jobs ?? RunSets.DefaultJobs(running, runs);
        using Backend backend = Devices.Open(running.Device, running.ThreadsOf(jobs));
        var estimator = new RunEstimator(backend);
        RunEstimate[] estimates = [.. comparison.Variants.Select(variant => estimator.Of(runs.ConfigOf(variant)))];
        RunEstimate[] all = [.. runs.Expected(running.Folder).Select(run => estimator.LeftOf(run.Config, RunSet.FolderOf(running.Folder, run.Name)))];
        int over = all.Count(estimate => estimate.IsOver);
        double seconds = all.Sum(estimate => estimate.Seconds) / Math.Min(jobs, Math.Max(1, all.Length - over)), tokens = all.Sum(estimate => estimate.Tokens);
        long peak = estimates.Max(estimate => estimate.ResidentBytes);
        Output output = invocation.Output;
        output.Line();
        output.Table(
            numbers: true,
            [
                ["variant", "steps", "tokens/s", "memory", "a run"],
                .. comparison.Variants.Zip(estimates, (variant, estimate) => (string[])[variant.Name, Display.Count(estimate.Steps), Display.Count((long)estimate.TokensPerSecond), Display.Bytes(estimate.ResidentBytes), Display.Clock(estimate.Seconds)]),
            ]);
        output.Line();
        output.Line($"{Display.Count(all.Length, "run")}{RunSetTable.Over(over)} {Display.Count((long)tokens)} tokens, about {Display.Clock(seconds)} with {Display.Count(jobs, "run")} at a time; at most {Display.Bytes(peak)} a run");
        if (running.Shard is { Count: > 1 } shard)
        {
            output.Line($"This is of all {Display.Count(shard.Count, "shard")} together, on this machine; shard {shard} carries out its share, about 1/{shard.Count} of the FLOPs.");
        }

        output.Result(new JsonObject
        {
            ["runs"] = all.Length,
            ["over"] = over,
            ["jobs"] = jobs,
            ["tokens"] = tokens,
            ["seconds"] = seconds,
            ["peakBytes"] = peak,
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
}
