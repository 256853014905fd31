using System.Text.Json.Nodes;
using NanoFold.Engine.Runs;

namespace NanoFold.Tests.Cli;

public class PlanCommandTests
{
    [Test]
    public void NanoOnBytesHasTheParametersThatAddUpByHand()
    {
        JsonObject plan = CommandLine.Json("plan", "--set", "tokenizer=byte");

        Assert.That(plan["parameters"]!.GetValue<long>(), Is.EqualTo(857_216));
        Assert.That(plan["parametersByPart"]!.AsObject().Sum(part => part.Value!.GetValue<long>()), Is.EqualTo(857_216));
        Assert.That(plan["flopsPerToken"]!.GetValue<long>(), Is.EqualTo(5_332_992));
        Assert.That(plan["vocab"]!.GetValue<int>(), Is.EqualTo(256));
        Assert.That(plan["tokensPerStep"]!.GetValue<int>(), Is.EqualTo(12 * 64));
    }

    [Test]
    public void EveryPhaseSaysWhatItHoldsAndWhere()
    {
        JsonObject plan = CommandLine.Json("plan", "--set", "tokenizer=byte");
        JsonObject memory = plan["memory"]!.AsObject();
        JsonObject[] phases = [.. plan["phases"]!.AsArray().Select(p => p!.AsObject())];

        Assert.That(memory.Select(part => part.Key), Is.EqualTo(new[] { "parameters", "gradients", "optimizer", "activations", "inputs", "samples" }));
        Assert.That(memory.Sum(part => part.Value!.GetValue<long>()), Is.EqualTo(plan["peakBytes"]!.GetValue<long>()));
        Assert.That(phases.Select(p => (p["phase"]!.GetValue<string>(), p["at"]!.GetValue<string>())), Is.EqualTo(new[]
        {
            ("forward", "linear-cross-entropy"), ("backward", "blocks.3.mlp: silu-gated backward"), ("update", "muon"),
        }));
        Assert.That(phases[1]["bytes"]!.GetValue<long>(), Is.InRange(phases[0]["bytes"]!.GetValue<long>(), memory["activations"]!.GetValue<long>()));
        Assert.That(phases[2]["bytes"]!.GetValue<long>(), Is.EqualTo(memory["optimizer"]!.GetValue<long>()));

        JsonObject[] largest = [.. plan["largestActivations"]!.AsArray().Select(p => p!.AsObject())];
        Assert.That(largest, Has.Length.EqualTo(5));
        Assert.That(largest.Select(h => h["bytes"]!.GetValue<long>()), Is.Ordered.Descending);
        Assert.That(plan["bytesMovedPerToken"]!.GetValue<double>(), Is.Positive);
    }

    [Test]
    public void OnTheCpuBFloat16TakesTheMemoryOfSinglePrecision()
    {
        JsonObject single = CommandLine.Json("plan", "--set", "tokenizer=byte", "--device", "cpu"), rounded = CommandLine.Json("plan", "--set", "tokenizer=byte", "--device", "cpu", "--precision", "bf16");
        Assert.That(rounded["peakBytes"]!.GetValue<long>(), Is.EqualTo(single["peakBytes"]!.GetValue<long>()));
    }

    [Test]
    public void HalfTheBytesMakeHalfTheActivations()
    {
        JsonObject single = CommandLine.Json("plan", "--set", "tokenizer=byte"), half = CommandLine.Json("plan", "--set", "tokenizer=byte", "--precision", "fp16");
        long Bytes(JsonObject plan, string part) => plan["memory"]![part]!.GetValue<long>();
        Assert.That(Bytes(half, "activations"), Is.InRange(0.4 * Bytes(single, "activations"), 0.6 * Bytes(single, "activations")));
        Assert.That(Bytes(half, "parameters"), Is.EqualTo(Bytes(single, "parameters") * 3 / 2));
        Assert.That(Bytes(half, "gradients"), Is.EqualTo(Bytes(single, "gradients")));
        Assert.That(half["bytesMovedPerToken"]!.GetValue<double>(), Is.LessThan(0.7 * single["bytesMovedPerToken"]!.GetValue<double>()));
    }

    [Test]
    public void TrainOptionsAreKeysOfTheConfiguration()
    {
        JsonObject plan = CommandLine.Json(
            "plan", "--preset", "small", "--batch", "2", "--context", "32", "--steps", "10", "--minutes", "0.5", "--data", "123", "--seed", "7", "--set", "train.accumulate=3");

        Assert.That(plan["tokensPerStep"]!.GetValue<int>(), Is.EqualTo(2 * 32 * 3));
        Assert.That(CommandLine.Json("plan", "--batch", "auto")["tokensPerStep"], Is.Null);
    }

    [Test]
    public void AnOptionGoesBeforeASettingAndThatBeforeTheFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.json"], """{ "model": { "context": 16, }, "train": { "batch": 5, "accumulate": 7 } } // mine""");

        JsonObject plan = CommandLine.Json("plan", "--config", folder["a.json"], "--context", "8", "--set", "model.context=4", "--set", "train.batch=3");
        Assert.That(plan["tokensPerStep"]!.GetValue<int>(), Is.EqualTo(8 * 3 * 7));
    }

    [Test]
    public void AResumedRunIsPlannedAsItIs()
    {
        using var run = new TemporaryFolder();
        File.WriteAllText(run[RunConfig.FileName], new ConfigTree().Set("model.vocab=3000").Set("model.layers=2").Build().ToJson());

        Assert.That(CommandLine.Json("plan", "--resume", run.Path, "--set", "train.stopAfter=5")["vocab"]!.GetValue<int>(), Is.EqualTo(3000));

        CommandLine refused = CommandLine.Run("plan", "--resume", run.Path, "--minutes", "5", "--seed", "3", "--set", "model.layers=3", "--set", "train.logEvery=2");
        Assert.That(refused.Code, Is.EqualTo(2));
        Assert.That(refused.Error, Does.StartWith("nanofold: --resume goes on as the run began, so it does not take --minutes, --seed, model.layers; "));
    }

    [Test]
    public void ATokenizersFileGivesTheVocabulary()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.txt"], string.Concat(Enumerable.Repeat("the cat sat on the mat. ", 20)));
        int vocab = CommandLine.Json("tokenizer", "train", "--data", folder["text.txt"], "--vocab", "262", "--out", folder.Path)["vocab"]!.GetValue<int>();

        JsonObject plan = CommandLine.Json("plan", "--set", "tokenizer=file", "--set", $"tokenizer.path={folder.Path}");
        Assert.That((vocab, plan["vocab"]!.GetValue<int>()), Is.EqualTo((262, 262)));
    }
}
