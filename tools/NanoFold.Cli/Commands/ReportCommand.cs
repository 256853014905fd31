using System.CommandLine;
using System.Text.Json.Nodes;
using NanoFold.Engine;
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
        command.Common = [];
        command.JsonKeys = "report (the page), bytes, sections, figures";
        command.Does(invocation => Run(invocation, invocation.Get(runs)!, invocation.Get(target)));
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
}
