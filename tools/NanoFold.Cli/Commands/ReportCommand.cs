using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Reports;

namespace NanoFold.Cli.Commands;

/// <summary><c>report</c>: the page of one run or of a set of runs.</summary>
internal static class ReportCommand
{
    public static void Build(VerbCommand command)
    {
        var runs = new Argument<string[]>("RUN")
        {
            Description = "A run folder, several of them side by side, or the folder of a comparison or of a grid of scaling",
            Arity = ArgumentArity.OneOrMore,
        };
        command.Add(runs);
        Option<string?> target = command.Text("--out", "FILE", $"The page; {Report.FileName} in the folder that it is of if not given, or here where it is of several");
        Option<string?> table = command.Text("--csv", "FILE", "Write the logs of run folders as a table in place of the page: a row for each step, a column for each figure");
        command.Common = [];
        command.JsonKeys = "report (the page), bytes, sections, figures; with --csv table (the file) and rows";
        command.Does(invocation => invocation.Get(table) is { } file
            ? WriteTable(invocation, invocation.Get(runs)!, file, invocation.Get(target))
            : Run(invocation, invocation.Get(runs)!, invocation.Get(target)));
    }

    private static int Run(Invocation invocation, string[] paths, string? target)
    {
        string command = $"{Program.Typed} report {string.Join(' ', paths.Select(Shell.Argument))}{(target is null ? "" : $" --out {Shell.Argument(target)}")}";
        string file = target ?? Report.DefaultPath(paths);
        ReportPage page = Report.Of(paths, command, file);
        OutputFile.Require(file, "--out");
        long bytes = page.Save(file);
        string[] sections = [.. page.Sections.Where(section => section.Items.Count > 0).Select(section => section.Title)];
        invocation.Output.Line($"{file}: {Display.Count(page.Figures.Count(), "figure")} in {Display.Count(sections.Length, "section")}, {Display.Bytes(bytes)}; open it in a browser");
        invocation.Output.Result(new JsonObject
        {
            ["report"] = file,
            ["bytes"] = bytes,
            ["sections"] = new JsonArray([.. sections.Select(title => JsonValue.Create(title))]),
            ["figures"] = page.Figures.Count(),
        });
        return Faults.Done;
    }

    private static int WriteTable(Invocation invocation, string[] runs, string file, string? page)
    {
        if (page is not null)
        {
            throw UserException.Usage("--out: names the page, and --csv writes a table in its place; leave one of the two out");
        }

        foreach (string run in runs.Where(run => !File.Exists(Path.Combine(run, RunFolder.MetricsFile))))
        {
            throw new UserException($"{run}: has no {RunFolder.MetricsFile}; name a run folder of train");
        }

        OutputFile.Require(file, "--csv");
        int rows = 0;
        OutputFile.Write(file, stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            rows = MetricsCsv.Write(runs, writer);
        });
        invocation.Output.Line($"{file}: {Display.Count(rows, "row")}");
        invocation.Output.Result(new JsonObject { ["table"] = file, ["rows"] = rows });
        return Faults.Done;
    }
}
