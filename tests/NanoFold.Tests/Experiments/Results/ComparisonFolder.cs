using System.Globalization;
using System.Text.Json.Nodes;
using NanoFold.Engine.Experiments;
using NanoFold.Engine.Experiments.Comparisons;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Experiments.Results;

/// <summary>A folder of a comparison whose runs are written by hand, so that every figure of the result is known.</summary>
internal sealed class ComparisonFolder : IDisposable
{
    private const string Base = """ "base": { "task": { "kind": "modular-addition", "modulus": 7 }, "model": { "layers": 1, "width": 16, "heads": 2, "context": 3 }, "train": { "steps": 10, "batch": 4, "learningRate": 0.02 } } """;
    private readonly TemporaryFolder _folder = new();

    /// <param name="rest">Of the file of the comparison, without its base.</param>
    public ComparisonFolder(string rest)
    {
        Comparison = ComparisonPlan.Of(new ComparisonTree().AddJson($"{{ {Base}, {rest} }}", "c.json").Build());
        File.WriteAllText(_folder[Comparison.FileName], Comparison.ToJson());
    }

    public Comparison Comparison { get; }

    public string Path => _folder.Path;

    public string this[string name] => _folder[name];

    public ComparedVariant Variant(string name) => Comparison.Variants.Single(variant => variant.Name == name);

    /// <summary>Writes a run that has ended.</summary>
    /// <param name="run">Which.</param>
    /// <param name="figures">Of its <c>result.json</c>: a key and a value each.</param>
    public void Ended(ComparedRun run, params (string Key, double Value)[] figures)
    {
        string folder = Begun(run);
        var json = new JsonObject { ["steps"] = 10, ["tokensPerSecond"] = 100, ["peakRssBytes"] = 2000, ["seconds"] = 1.5, ["trainLoss"] = 0.5, ["validationStep"] = 10, ["end"] = "finished", ["device"] = "cpu", ["threads"] = 2, ["instructionSet"] = "AVX2" };
        foreach ((string key, double value) in figures)
        {
            json[key] = value;
        }

        new RunResult(json).Write(folder);
    }

    /// <summary>Writes a run that ended with a fault.</summary>
    public void Failed(ComparedRun run, string fault) => RunResult.Failed(fault).Write(Begun(run));

    /// <summary>Writes a run that goes on.</summary>
    public string Begun(ComparedRun run, long step = 10)
    {
        string folder = _folder[System.IO.Path.Combine(RunSet.RunsFolder, run.Name)];
        Directory.CreateDirectory(folder);
        File.WriteAllText(System.IO.Path.Combine(folder, RunConfig.FileName), "{}");
        File.WriteAllText(System.IO.Path.Combine(folder, RunFolder.MetricsFile), string.Create(CultureInfo.InvariantCulture, $$"""
            {"step":1,"elapsedSeconds":0.1,"tokens":12,"flops":1200,"loss":2}
            {"step":{{step}},"elapsedSeconds":0.9,"tokens":{{step * 12}},"flops":{{step * 1200}},"loss":1}
            {"step":{{step}},"elap
            """));
        return folder;
    }

    public void Dispose() => _folder.Dispose();
}
