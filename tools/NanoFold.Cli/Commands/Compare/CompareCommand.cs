using NanoFold.Cli.Running;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Kernels;

namespace NanoFold.Cli.Commands.Compare;

/// <summary><c>compare</c>: trains variants with something held equal, over seeds, and says what can be said of the difference.</summary>
internal static class CompareCommand
{
    public static void Build(VerbCommand command)
    {
        var options = new CompareOptions(command);
        command.JsonKeys = "variants [{name, parameters, flopsPerToken, validationLoss (mean over the seeds), standardDeviation, pairedDifference (to the base, seed by seed), interval (95 % of it, [low, high]; null of one seed), "
            + "tokensPerSecond, peakBytes, cacheBytesPerToken, runs [{run (the folder), seed, state, …}], …}], report (the page), and all else that result.json of the folder has; "
            + "with --dry-run: runs, over (of them, in the folder), jobs (at a time), tokens and seconds (of what is left), peakBytes, variants [{name, parameters, flopsPerToken, cacheBytesPerToken, residual, solved, tokens, tokensPerSecond, peakBytes, seconds}]";
        command.Does(invocation => Run(invocation, options));
    }

    private static int Run(Invocation invocation, CompareOptions options)
    {
        if (options.Collected(invocation) is { } collected)
        {
            CompareResult.Show(invocation, collected, Comparison.Load(collected));
            return Faults.Done;
        }

        if (!options.IsDryRun(invocation))
        {
            options.RequireFolder(invocation);
        }

        (ComparisonFile file, PlanOptions planning) = options.Read(invocation);
        Comparison comparison = ComparisonPlan.Of(file, planning);
        var runs = new ComparisonRuns(comparison);
        RunSet.Check(runs, options.Running(invocation, folder: ""));
        CompareTables.Describe(invocation.Output, comparison);
        if (options.IsDryRun(invocation))
        {
            CompareDryRun.Show(invocation, comparison, runs, options.Running(invocation, RunSets.Find(options.Out(invocation), options.Name(invocation, comparison), ComparisonFolder.FileOf(comparison))));
            return Faults.Done;
        }

        string folder = RunSets.Take(options.Out(invocation), options.Name(invocation, comparison), ComparisonFolder.FileOf(comparison));

        RunSetOptions running = options.Running(invocation, folder);
        invocation.Output.Line($"folder {folder}");
        if (comparison.TransferWidth is { } width)
        {
            CheckCoordinates(invocation, folder, comparison, ComparisonPlan.FamilyOf(file, planning), width);
        }

        RunSetSummary summary = RunSets.CarryOut(invocation, runs, running);
        if (summary.End != RunSetEnd.Interrupted)
        {
            CompareResult.Show(invocation, folder, comparison);
        }

        return RunSets.ExitCode(invocation, summary);
    }

    // From the width of the search to that of the widest variant, whether rates may be taken over.
    private static void CheckCoordinates(Invocation invocation, string folder, Comparison comparison, ModelFamily family, int width)
    {
        int widest = comparison.Variants.Max(variant => variant.Resolve().Model.Width);
        int[] widths = [.. Enumerable.Range(0, 16).Select(i => width << i).TakeWhile(wide => wide <= Math.Max(widest, 2 * width))];
        if (CoordinateCheck.Find(folder)?.Widths.SequenceEqual(widths) == true)
        {
            return;
        }

        using Backend backend = Devices.Open(invocation);
        CoordinateChecker.Run(family, new CoordinateOptions { Widths = widths }, backend, invocation.Output.Note, invocation.Interrupt.Token).Write(folder);
    }
}
