using System.Text.Json.Nodes;
using NanoFold.Cli.Running;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Coordinates;
using NanoFold.Engine.Experiments.Scaling;
using NanoFold.Engine.Runs;
using NanoFold.Kernels;
using NanoFold.Reports;

namespace NanoFold.Cli.Commands.Scaling;

/// <summary><c>scaling</c>: trains a grid of sizes and tokens and fits how the loss depends on them.</summary>
internal static class ScalingCommand
{
    public static void Build(VerbCommand command)
    {
        var options = new ScalingOptions(command);
        command.JsonKeys = "runs [{run (the folder), size, seed, parameters, tokens, flopsPerToken, flops, loss, predicted, residual (log loss − log predicted), tokensPerSecond, seconds}], "
            + "fit {law {e, a, alpha, b, beta}, sizeExponent, tokensExponent, intervals {e, a, alpha, b, beta, sizeExponent, tokensExponent} (95 %, [low, high]), r2, rmsResidual, runs, heldOut}; null with whyNot where there are too few runs, "
            + "computeOptimal [{flops, parameters, tokens, loss, isExtrapolated}], summary, unfinished, report (the page); "
            + "with --dry-run: runs, over (of them, in the folder), tokens and seconds (of what is left), peakBytes, sizes [{name, width, layers, parameters, flopsPerToken, tokensPerSecond, peakBytes, seconds}]; with --coordinate-check what coordinate-check.json holds";
        command.Does(invocation => Run(invocation, options));
    }

    private static int Run(Invocation invocation, ScalingOptions options)
    {
        options.Require(invocation);
        if (options.Collected(invocation) is { } collected)
        {
            Show(invocation, collected);
            return Faults.Done;
        }

        ModelFamily family = options.Family(invocation);
        if (options.IsCheck(invocation))
        {
            return Check(invocation, options, family);
        }

        if (!options.IsDryRun(invocation))
        {
            options.RequireFolder(invocation);
        }

        ScalingGrid grid = options.Grid(invocation, family);
        string name = Path.Combine("runs", "scaling");
        RunSet.Check(grid.Plan(), options.Running(invocation, folder: ""));
        if (options.IsDryRun(invocation))
        {
            ScalingTables.DryRun(invocation, grid, RunSets.Find(options.Out(invocation), name, ScalingFolder.FileOf(grid)));
            return Faults.Done;
        }

        RequireText(family.Recipe);
        string folder = RunSets.Take(options.Out(invocation), name, ScalingFolder.FileOf(grid));
        invocation.Output.Line($"{Display.Count(grid.Cells().Count, "run")}: {string.Join(", ", grid.Sizes.Select(size => size.Name))}; folder {folder}");
        RunSetSummary summary = RunSets.CarryOut(invocation, grid.Plan(), options.Running(invocation, folder));
        if (summary.End != RunSetEnd.Interrupted)
        {
            Show(invocation, folder);
        }

        return RunSets.ExitCode(invocation, summary);
    }

    // Before a folder is made. The text is not read for it.
    private static void RequireText(RunConfig recipe)
    {
        foreach (string path in new[] { recipe.Data.Path, recipe.Data.Validation }.OfType<string>().Where(_ => recipe.Task.IsText))
        {
            if (Corpus.CanBeReadOnce(path))
            {
                throw UserException.Usage($"--data {path}: can be read only once, and every run of a grid reads it; keep the text in a file and name that");
            }

            using Corpus corpus = Corpus.Open(path, recipe.Data.Reading);
        }
    }

    private static void Show(Invocation invocation, string folder)
    {
        Output output = invocation.Output;
        ScalingResult result = ScalingCollector.Collect(folder) with { Report = Report.FileName };
        ScalingFiles.Write(folder, result);
        string page = Path.Combine(folder, Report.FileName);
        Report.Of(folder, result, $"{Program.Typed} report {Shell.Argument(folder)}").Save(page);
        output.Line();
        ScalingTables.Show(output, result);
        output.Line($"{page}: open it in a browser; {ScalingFiles.Table} and {ScalingResult.FileName} are beside it");
        output.Result((result with { Report = page }).ToJson());
    }

    private static int Check(Invocation invocation, ScalingOptions options, ModelFamily family)
    {
        CoordinateOptions what = options.Check(invocation, family);
        string? folder = options.Out(invocation);
        if (folder is not null)
        {
            ScalingFolder.Create(folder);
            OutputFile.Require(Path.Combine(folder, CoordinateCheck.FileName), "--out");
        }

        using Backend backend = Devices.Open(invocation);
        CoordinateCheck check = CoordinateChecker.Run(family, what, backend, invocation.Output.Note, invocation.Interrupt.Token);
        ScalingTables.Show(invocation.Output, check);
        if (folder is not null)
        {
            check.Write(folder);
            invocation.Output.Line($"{Path.Combine(folder, CoordinateCheck.FileName)}: the page of a comparison or a grid in that folder shows it");
        }

        invocation.Output.Result(JsonNode.Parse(RecordFile.ToBytes(check))!.AsObject());
        return Faults.Done;
    }
}
