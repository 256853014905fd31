using NanoFold.Engine;
using NanoFold.Engine.Experiments.Baselines;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Experiments.Results;
using NanoFold.Reports;

namespace NanoFold.Cli.Commands.Compare;

/// <summary>The result of a comparison: its tables, files and page, of whatever is there.</summary>
internal static class CompareResult
{
    /// <summary>Writes the files, shows the tables, and gives the result as JSON.</summary>
    public static void Show(Invocation invocation, string folder, Comparison comparison)
    {
        Output output = invocation.Output;
        string page = Path.Combine(folder, Report.FileName);
        MakeBaselines(invocation, folder, comparison);
        ComparisonResult result = ResultCollector.Collect(folder, comparison) with { Report = Report.FileName };
        ResultFiles.Write(folder, result);
        Report.Of([folder], $"{Program.Typed} report {Shell.Argument(folder)}").Save(page);
        output.Line();
        ResultView.Write(output, result);
        output.Line($"{page}: open it in a browser; {ResultFiles.Table}, {ResultFiles.Markdown} and {ComparisonResult.FileName} are beside it");
        output.Result((result with { Report = page }).ToJson());
    }

    // Once for a set; where the text is gone by now, the result is without them.
    private static void MakeBaselines(Invocation invocation, string folder, Comparison comparison)
    {
        try
        {
            BaselineMaker.Make(folder, comparison.Variants.Select(variant => variant.Resolve()), invocation.Output.Note, invocation.Interrupt.Token);
        }
        catch (UserException e)
        {
            invocation.Output.Note($"no baselines: {e.Message}");
        }
    }
}
