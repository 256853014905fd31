using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using NanoFold.Cli;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Metrics;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Architecture;

namespace NanoFold.Tests;

/// <summary>Every figure in JSON that the program writes is finite or null.</summary>
public partial class FiniteJsonTests
{
    private const double Inf = double.PositiveInfinity;

    /// <summary>What may write numbers itself: whole ones only.</summary>
    private static readonly string[] s_integersOnly = ["GgufByteLevel.cs", "OwnForm.cs", "SafeTensorsWriter.cs", "SentencePieceJson.cs", "TokenizerJson.cs"];

    /// <summary>Where trees and records become text: cleaned or converted by <see cref="FiniteJson"/>, read back from a file, of a configuration, whose figures are finite, or of texts alone.</summary>
    private static readonly string[] s_trees =
    [
        "ActivationDump.cs", "Answerer.cs", "ChatLoop.cs", "CheckpointFolder.cs", "ConfigJson.cs", "ConfigReader.cs", "CurveFile.cs", "ErrorAnswer.cs", "FinalMessage.cs",
        "ForeignConfig.cs", "GemmTable.cs", "GpuSession.cs", "KernelBaseline.cs", "ModelServer.cs", "NpzExport.cs", "Output.cs", "PlotlyChart.cs", "QuestionEvaluation.cs", "RecordFile.cs",
        "RooflineCache.cs", "Rotary.cs", "RunProtocol.cs", "RunResult.cs", "Settings.cs", "SettingsTables.cs", "TrainStateFile.cs",
    ];

    [Test]
    public void AResultHasNullInPlaceOfWhatIsNotFinite()
    {
        using var standard = new StringWriter { NewLine = "\n" };
        new Output(standard, TextWriter.Null, json: true).Result(new JsonObject
        {
            ["a"] = Inf, ["b"] = double.NaN, ["c"] = 1.5, ["d"] = float.NegativeInfinity, ["e"] = 7L, ["f"] = (double?)null, ["g"] = "Infinity",
            ["h"] = new JsonArray(1, double.NaN, new JsonObject { ["i"] = -Inf, ["j"] = 0.25f }, new JsonArray(Inf)),
        });

        Assert.That(standard.ToString(), Is.EqualTo("""{"a":null,"b":null,"c":1.5,"d":null,"e":7,"f":null,"g":"Infinity","h":[1,null,{"i":null,"j":0.25},[null]]}""" + "\n"));
    }

    [Test]
    public void LogsHaveNullInPlaceOfWhatIsNotFinite()
    {
        using var folder = new TemporaryFolder();
        using (JsonLinesLog log = JsonLinesLog.Open(folder["log"]))
        {
            var metrics = new MetricsJson(log, 10, 1);
            metrics.AppendStep(new RunPlace(3, Inf, 7), new StepResult(double.MaxValue, 1, Inf, 5) { OwnRates = [new LearningRate("matrixLearningRate", -Inf)] }, double.NaN, Inf, []);
            metrics.AppendEvaluation(new RunPlace(4, 2, 7), new Evaluation(double.NaN, Inf, 9, 9), new Evaluation(Inf, 1, 9, 9));
            log.Append(
                new Measured(new NormMeasure(), new FigurePlace("point", "blocks.0.hook_resid_post"), 5, [new Figure("norm", Inf, -Inf, GeometryStatus.Ok, "rms", 3)]),
                GeometryLog.Write);
        }

        JsonElement[] lines = [.. JsonLinesLog.Read(folder["log"])];
        Assert.That(lines, Has.Length.EqualTo(3));
        Assert.That(lines.SelectMany(NullsOf), Is.EqualTo(new[]
        {
            "elapsedSeconds", "lossScale", "learningRate", "matrixLearningRate", "tokensPerSecond", "validationLoss", "validationBitsPerByte", "fullValidationLoss", "value", "error",
        }));
        Assert.That(lines[0].GetProperty("loss").GetDouble(), Is.EqualTo(double.MaxValue));
    }

    [Test]
    public void AStateWithAnEvaluationBeyondEveryPerplexityIsReadAgain()
    {
        var state = new TrainState(6, 60, 1, null, new Evaluation(1117.38, 1612.04, 9, 9), "hash");
        using var folder = new TemporaryFolder();
        using (FileStream file = File.Create(folder[TrainState.FileName]))
        {
            state.ToFile([]).Write(file);
        }

        Assert.That(File.ReadAllText(folder[TrainState.FileName]), Does.Contain("\"perplexity\": null"));
        Assert.That(TrainState.Load(folder.Path).LastEvaluation, Is.EqualTo(state.LastEvaluation));
    }

    [Test]
    public void AConfigurationMadeInCodeIsRefusedByTheNameOfTheKey()
    {
        RunConfig config = new() { Train = new TrainConfig { Clip = double.NaN } };

        ConfigException fault = Assert.Throws<ConfigException>(() => new ConfigTree().AddJson(config.ToJson(), "configuration").Build())!;
        Assert.That(fault.Problems.Select(p => p.Path), Is.EqualTo(new[] { "train.clip" }));
    }

    /// <summary>A new place that writes figures takes <see cref="FiniteJson"/>, or is added above where it needs none.</summary>
    [Test]
    public void NothingWritesFiguresPastIt()
    {
        var wrong = new List<string>();
        foreach (string file in new[] { "engine", "kernels", "tools" }.SelectMany(folder => SourceTree.Files(RepositoryRoot.File(folder))))
        {
            string name = Path.GetFileName(file), code = File.ReadAllText(file);
            if (name == "FiniteJson.cs")
            {
                continue;
            }

            // Times in a trace are decimals, which are always finite.
            if (Number().Matches(code).Any(m => !m.Value.Contains("Microseconds")) && !s_integersOnly.Contains(name))
            {
                wrong.Add($"{name} writes numbers; take WriteFigure");
            }

            if (Tree().IsMatch(code) && !s_trees.Contains(name))
            {
                wrong.Add($"{name} turns a tree or a record into JSON; take FiniteJson.Clean or FiniteJson.Converter");
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    [GeneratedRegex(@"\.WriteNumber(Value)?\(.*")]
    private static partial Regex Number();

    [GeneratedRegex(@"\.ToJsonString\(|JsonSerializer\.Serialize")]
    private static partial Regex Tree();

    private static IEnumerable<string> NullsOf(JsonElement element) => element.EnumerateObject()
        .SelectMany(p => p.Value.ValueKind == JsonValueKind.Object ? NullsOf(p.Value) : p.Value.ValueKind == JsonValueKind.Null ? [p.Name] : []);
}
