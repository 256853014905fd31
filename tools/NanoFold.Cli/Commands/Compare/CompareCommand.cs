using NanoFold.Cli.Running;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;

namespace NanoFold.Cli.Commands.Compare;

/// <summary><c>compare</c>: trains variants with something held equal, over seeds, and says what can be said of the difference.</summary>
internal static class CompareCommand
{
    public static void Build(VerbCommand command)
    {
        var options = new CompareOptions(command);
        command.JsonKeys = "variants [{name, parameters, flopsPerToken, validationLoss (mean over the seeds), standardDeviation, pairedDifference (to the base, seed by seed), interval (95 % of it, [low, high]; null of one seed), "
            + "tokensPerSecond, peakBytes, cacheBytesPerToken, runs [{run (the folder), seed, state, …}], …}], report (the page), and all else that result.json of the folder has; "
            + "with --dry-run: runs, tokens, seconds, peakBytes, variants [{name, parameters, flopsPerToken, cacheBytesPerToken, residual, solved, tokens, tokensPerSecond, peakBytes, seconds}]";
        command.Does(invocation => Run(invocation, options));
    }

    private static int Run(Invocation invocation, CompareOptions options)
    {
        if (options.Collected(invocation) is { } collected)
        {
            CompareResult.Show(invocation, collected, Comparison.Load(collected));
            return Faults.Done;
        }

        Comparison comparison = options.Plan(invocation);
        var runs = new ComparisonRuns(comparison);
        CompareTables.Describe(invocation.Output, comparison);
        if (options.IsDryRun(invocation))
        {
            CompareDryRun.Show(invocation, comparison, runs);
            return Faults.Done;
        }

        RunSet.Check(runs, options.Running(invocation, folder: ""));
        string folder = options.Out(invocation) ?? ComparisonFolder.Unused(options.Name(invocation, comparison), comparison);
        ComparisonFolder.Take(folder, comparison);
        invocation.Output.Line($"folder {folder}");
        RunSetSummary summary = RunSets.CarryOut(invocation, runs, options.Running(invocation, folder));
        if (summary.End != RunSetEnd.Interrupted)
        {
            CompareResult.Show(invocation, folder, comparison);
        }

        return RunSets.ExitCode(invocation, summary);
    }
}
