using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Cli.Options;
using NanoFold.Engine;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Surveys;
using NanoFold.Engine.Taps;
using NanoFold.Kernels;
using NanoFold.Reports;

namespace NanoFold.Cli.Commands.Surveys;

/// <summary><c>geometry</c>: measures a run after training.</summary>
internal static class GeometryCommand
{
    public static void Build(VerbCommand command)
    {
        Option<string?> model = command.Text("--model", "RUN", "A run folder (its checkpoints) or a checkpoint");
        Option<string?> outFolder = command.Text("--out", "DIR", "Where the files go; RUN/geometry if not given");
        Option<bool> list = command.Flag("--list", "Only list the points of the model with their shapes");
        var options = new SurveyChoices(command);
        command.Common = [CommonOptions.Device, CommonOptions.Threads, CommonOptions.Seed];
        command.JsonKeys = "out, files, report (the page of the run, where it was made again), lines (figures in geometry.jsonl), data, tokens, measured (tokens whose stream is measured), checkpoints [{name, step, seconds}], costs [{measure, seconds}], without (measures of what the model does not have), words [{title, rows}] (tables such as what the head reads in each layer), figures [{step, measure, figure, point, layer, value, control}] (of the last checkpoint, means over layers where layer is missing); with --list: points [{name, shape}]";
        command.Does(invocation =>
        {
            string path = invocation.Get(model) ?? throw UserException.Usage("--model is needed: a run folder of train, or a checkpoint");
            return invocation.Get(list) ? List(invocation, path) : Run(invocation, path, invocation.Get(outFolder), options.Read(invocation));
        });
    }

    private static int Run(Invocation invocation, string path, string? folder, SurveyOptions options)
    {
        Output output = invocation.Output;
        using Backend backend = Devices.Open(invocation);
        using GeometrySurvey survey = GeometrySurvey.Open(path, options, backend, output.Note, invocation.Interrupt.Token);
        SurveyResult result = survey.Run(folder ?? survey.DefaultFolder);
        SurveyTable.Write(output, result);
        JsonObject json = SurveyTable.ToJson(result);
        if (folder is null && File.Exists(Path.Combine(path, RunConfig.FileName)))
        {
            // The page of a run looks for the files where they are unless another folder is named.
            string page = Path.Combine(path, Report.FileName);
            Report.Of([path], $"{Program.Typed} report {Shell.Argument(path)}").Save(page);
            output.Line($"the page of the run: {page}");
            json["report"] = page;
        }

        output.Result(json);
        return Faults.Done;
    }

    private static int List(Invocation invocation, string path)
    {
        using Backend backend = Devices.Open(invocation);
        using TrainedModel trained = TrainedModel.Load(path, backend);
        TapPoint[] points = [.. trained.Model.TapPoints];
        invocation.Output.Table(numbers: false, [["point", "shape"], .. points.Select(point => (string[])[point.Name, point.Shape])]);
        invocation.Output.Line(string.Create(CultureInfo.InvariantCulture, $"B windows, T = {trained.Config.Model.Context} at most, C = {trained.Config.Model.Width}; the other letters: docs/taps.md"));
        invocation.Output.Result(new JsonObject
        {
            ["points"] = new JsonArray([.. points.Select(point => (JsonNode)new JsonObject { ["name"] = point.Name, ["shape"] = point.Shape })]),
        });
        return Faults.Done;
    }
}
