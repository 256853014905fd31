using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Exports;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Cli.Commands.Interchange;

/// <summary><c>export</c>: a model in the files of another program.</summary>
internal static class ExportCommand
{
    private static readonly string s_formats = string.Join(", ", ExportFormat.All.Select(format => format.Name));
    private static readonly string s_types = string.Join(", ", Enum.GetValues<ExportType>().Select(ModelExport.NameOf));

    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", ModelOptions.ModelHelp);
        Option<string?> adapter = command.Text("--adapter", "DIR", ModelOptions.AdapterHelp);
        Option<string?> format = command.Text("--format", "NAME", $"What is written: {s_formats}");
        Option<string?> type = command.Text("--type", "TYPE", $"What numbers are written as, where the format has a choice: {s_types}; f32 if not given");
        Option<string?> target = command.Text("--out", "PATH", "A new folder for huggingface and peft, otherwise a file");
        command.Common = [];
        command.JsonKeys = "path, format (what it is), type, parameters, files [{path, bytes}], notes, seconds";
        command.Does(invocation => Run(
            invocation,
            invocation.Get(model) ?? throw UserException.Usage(ModelOptions.NoModel),
            invocation.Get(adapter),
            FormatOf(invocation.Get(format)),
            TypeOf(invocation.Get(type)),
            invocation.Get(target) ?? throw UserException.Usage("--out is needed: where it is written")));
    }

    private static ExportFormat FormatOf(string? name) => name is null
        ? throw UserException.Usage($"--format is needed: {s_formats}")
        : ExportFormat.All.FirstOrDefault(format => format.Name == name) ?? throw UserException.Usage($"--format {name}: is not known; those that are: {s_formats}");

    private static ExportType? TypeOf(string? name) => name is null ? null
        : Enum.GetValues<ExportType>().Select(type => (ExportType?)type).FirstOrDefault(type => ModelExport.NameOf(type!.Value) == name)
        ?? throw UserException.Usage($"--type {name}: is not known; those that are: {s_types}");

    private static int Run(Invocation invocation, string model, string? adapter, ExportFormat format, ExportType? type, string target)
    {
        Output output = invocation.Output;
        long start = Stopwatch.GetTimestamp();
        ModelExport.RequireFree(format, target);
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(model, backend, adapter);
        ExportedModel exported = ModelExport.Run(trained, format, type, target);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        foreach (string note in exported.Notes)
        {
            output.Note(note);
        }

        (string Path, long Bytes)[] files = [.. exported.Files.Select(path => (path, new FileInfo(path) is { Exists: true } file ? file.Length : 0))];
        output.Table(
            numbers: false,
            [
                ["what it is", exported.Format],
                ["parameters", Display.Count(exported.Parameters)],
                ["numbers", ModelExport.NameOf(exported.Type)],
                .. files.Select(file => new[] { "written", $"{file.Path} ({Display.Bytes(file.Bytes)})" }),
            ]);
        output.Result(new JsonObject
        {
            ["path"] = target,
            ["format"] = exported.Format,
            ["type"] = ModelExport.NameOf(exported.Type),
            ["parameters"] = exported.Parameters,
            ["files"] = new JsonArray([.. files.Select(file => (JsonNode)new JsonObject { ["path"] = file.Path, ["bytes"] = file.Bytes })]),
            ["notes"] = new JsonArray([.. exported.Notes.Select(note => (JsonNode)note)]),
            ["seconds"] = seconds,
        });
        return Faults.Done;
    }
}
