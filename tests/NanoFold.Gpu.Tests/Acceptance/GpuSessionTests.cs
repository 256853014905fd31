using System.Diagnostics;
using System.Text.Json.Nodes;
using NanoFold.Cli.Commands.Bench.OnGpu;

namespace NanoFold.Gpu.Tests.Acceptance;

/// <summary><c>bench gpu --session</c> without a card: every stage is started as it will be there, at tiny shapes on a simulator.</summary>
[Parallelizable]
internal sealed class GpuSessionTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("nanofold-session").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void ADryRunGoesThroughEveryStage()
    {
        string target = Path.Combine(_folder, "session");
        (int code, string said, string errors) = Nanofold("bench", "gpu", "--session", target, "--dry-run", "--json");
        Assert.That(code, Is.Zero, errors);
        JsonObject result = JsonNode.Parse(said)!.AsObject();
        JsonObject[] stages = [.. result["stages"]!.AsArray().Select(s => s!.AsObject())];
        Dictionary<string, string> outcomes = stages.ToDictionary(s => (string)s["name"]!, s => (string)s["outcome"]!);
        Assert.Multiple(() =>
        {
            Assert.That(outcomes.Keys, Is.EqualTo(GpuStage.Of(target, isDry: true, data: null).Select(s => s.Name)));
            Assert.That(outcomes.Where(o => GpuStage.Of(target, isDry: true, data: null).First(s => s.Name == o.Key).Tool is null).Select(o => o.Value), Is.All.EqualTo("done"));
            Assert.That(File.ReadAllText((string)result["table"]!), Does.Contain("| curve |").And.Contain("| product |").And.Contain("| step |").And.Contain("| context |"));
            Assert.That(stages.All(s => File.Exists(Path.Combine(target, $"{s["name"]}.log"))), Is.True);
            Assert.That(JsonNode.Parse(File.ReadAllText(Path.Combine(target, "session.json")))!["stages"]!.AsArray(), Has.Count.EqualTo(stages.Length));
        });
    }

    [Test]
    public void AFolderThatHoldsSomethingIsRefused()
    {
        File.WriteAllText(Path.Combine(_folder, "kept"), "");
        (int code, _, string errors) = Nanofold("bench", "gpu", "--session", _folder, "--dry-run");
        Assert.That(code, Is.EqualTo(1));
        Assert.That(errors, Does.Contain("is there already and holds something"));
    }

    [Test]
    public void WhatAStageIsGivenCannotBeGivenToASession()
    {
        (int code, _, string errors) = Nanofold("bench", "gpu", "--session", Path.Combine(_folder, "session"), "--dry-run", "--parts", "steps");
        Assert.That(code, Is.EqualTo(2));
        Assert.That(errors, Does.Contain("--parts: does not go with --session"));
    }

    [Test]
    public void AStageThatTakesTooLongIsEndedAndOneThatIsNotThereIsNamed()
    {
        GpuStageRun slow = GpuStageRun.Of(new GpuStage("slow", 1, "30") { Tool = "sleep" }, _folder, TimeSpan.FromSeconds(1), CancellationToken.None);
        GpuStageRun none = GpuStageRun.Of(new GpuStage("none", 1) { Tool = "no-such-program-is-here" }, _folder, TimeSpan.FromSeconds(1), CancellationToken.None);
        Assert.That((slow.Outcome, none.Outcome), Is.EqualTo(("ended after 1 s", "not run: no-such-program-is-here is not here")));
    }

    [Test]
    public void TheTableHasRatiosToPyTorchWhereItWasMeasured()
    {
        string table = GpuSessionTable.Of(
        [
            Run("checks", """{"device":"cuda X","checks":[{"name":"box-load-64-at-0-0","holds":false,"detail":"1 of 2"}]}""", "failed (1)"),
            Run("training", """{"checks":[{"name":"fp32","gradientDifference":1.5e-6,"lossDifference":1e-7,"sameBits":true,"seconds":3,"fault":null},{"name":"tf32","fault":null,"skipped":"no"}]}"""),
            Run("training-wgmma", """{"checks":[{"name":"bf16","gradientDifference":0.7,"lossDifference":null,"sameBits":false,"seconds":3.2,"fault":"the gradient"}]}""", "failed (1)"),
            Run("products", """{"products":[{"name":"forward","m":64,"n":32,"k":16,"fp32":40,"tf32":200,"bf16":400},{"name":"dX","m":64,"n":16,"k":32,"fp32":41,"tf32":201,"bf16":401}]}"""),
            Run("products-wgmma", """{"products":[{"name":"forward","m":64,"n":32,"k":16,"bf16":600},{"name":"dX","m":64,"n":16,"k":32,"bf16":601}]}"""),
            Run("peer-products", """{"torch":"2.11","cases":[{"name":"x","m":64,"n":32,"k":16,"fp32":50,"tf32":400,"bf16":500}]}"""),
            Run("attention", """{"attention":[{"context":8,"batch":1,"heads":2,"headDim":16,"forwardMs":2,"bothMs":5,"bothByOneMs":4,"tflops":9}]}"""),
            Run("attention-wgmma", """{"attention":[{"context":8,"batch":1,"heads":2,"headDim":16,"forwardMs":0.5,"bothMs":3,"bothByOneMs":2.5,"tflops":19}]}"""),
            Run("peer-attention", """{"cases":[{"context":8,"batch":1,"heads":2,"headDim":16,"forwardMs":1,"bothMs":10}]}"""),
            Run("steps", """{"steps":[{"preset":"nano","batch":12,"precision":"bf16","tokensPerSecond":100},{"preset":"nano","batch":12,"precision":"fp32","tokensPerSecond":50}]}"""),
            Run("steps-plain", """{"steps":[{"preset":"nano","batch":12,"precision":"bf16","tokensPerSecond":90}]}"""),
            Run("steps-early", """{"steps":[{"preset":"nano","batch":12,"precision":"bf16","tokensPerSecond":120}]}"""),
            Run("peer-step-nano", """{"tokensPerSecond":{"eager":50,"compiled":80}}"""),
        ]);
        Assert.That(table.Split('\n'), Is.SupersetOf(new[]
        {
            "cuda X, PyTorch 2.11",
            "| checks | 1.0 | failed (1): box-load-64-at-0-0 |",
            "| training-wgmma | 1.0 | failed (1): bf16 |",
            "| fp32 | 1.5e-6 | 1.0e-7 | yes | 3.0 |",
            "| bf16, wgmma | 7.0e-1 | – | no | 3.2 |",
            "| forward | 64 | 32 | 16 | 40.0 | 200.0 | 400.0 | 600.0 | 0.80 | 0.50 | 0.80 | 1.20 |",
            "| dX | 64 | 16 | 32 | 41.0 | 201.0 | 401.0 | 601.0 | – | – | – | – |",
            "| 8 | 1 | 2 | 16 | 2.000 | 5.000 | 4.000 | 0.500 | 3.000 | 9.0 | 0.50 | 2.00 | 2.00 | 3.33 |",
            "| nano | 12 | bf16 | 100 | – | 90 | – | 120 | – | 2.40 | 1.50 | – | – |",
            "| nano | 12 | fp32 | 50 | – | – | – | – | – | – | – | – | – |",
        }));
    }

    private static GpuStageRun Run(string name, string json, string outcome = "done") => new(new GpuStage(name, 1), 1, outcome, JsonNode.Parse(json)!.AsObject());

    private static (int Code, string Standard, string Error) Nanofold(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "nanofold.dll"), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string standard = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, standard, errors.Result);
    }
}
