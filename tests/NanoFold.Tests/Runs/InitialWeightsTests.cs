using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>A run that begins with the weights of another.</summary>
[NonParallelizable]
public class InitialWeightsTests
{
    private TrainRig _rig = null!;
    private string _text = null!;

    [SetUp]
    public void Begin()
    {
        _rig = new TrainRig();
        _rig.Train("source", "train.stopAfter=5");
        _text = _rig.Write("other.txt", TrainRig.Text.Replace("cat", "dog", StringComparison.Ordinal));
    }

    [TearDown]
    public void End() => _rig.Dispose();

    [Test]
    public void ItTakesWeightsModelAndTokenizerAndRemembersThem()
    {
        CommandLine run = Train("run", "train.checkpointAtStart=true", "train.keepCheckpoints=1");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Error, Does.Contain($"nanofold: beginning with the weights of {_rig.Checkpoint("source", 5)}\n"));

        // What is at step 0 are those weights, and no moments; it is not pruned.
        Assert.That(_rig.Checkpoints("run"), Is.EqualTo(new long[] { 0, 9 }));
        Assert.That(_rig.Bytes("run", 0, ModelFile.Name), Is.EqualTo(_rig.Bytes("source", 5, ModelFile.Name)));
        Assert.That(_rig.Bytes("run", 9, ModelFile.Name), Is.Not.EqualTo(_rig.Bytes("source", 5, ModelFile.Name)));
        using SafeTensorsFile moments = SafeTensorsFile.Open(_rig.Checkpoint("run", 0, OptimizerFile.Name));
        var first = new float[moments["first"].Count];
        moments.Read("first", first.AsSpan());
        Assert.That(first, Is.All.Zero);

        RunConfig config = RunConfig.Load(_rig["run"]), source = RunConfig.Load(_rig["source"]);
        Assert.That(config.Model.ToString(), Is.EqualTo((source.Model with { Vocab = 256 }).ToString()));
        Assert.That((config.Train.Init, config.Train.Steps, config.Train.Schedule), Is.EqualTo((_rig.Checkpoint("source", 5), 9, Engine.Training.ScheduleKind.Cosine)));
        Assert.That(config.Train.InitHash, Is.EqualTo(Convert.ToHexStringLower(SHA256.HashData(_rig.Bytes("source", 5, ModelFile.Name)))));
        Assert.That(config.Tokenizer, Is.EqualTo(new FileTokenizerConfig { Path = _rig.Checkpoint("source", 5, "tokenizer.json") }));
    }

    [Test]
    public void ItGoesOnWithoutThemAndBeginsAgainWithThem()
    {
        Assert.That(Train("straight").Code, Is.Zero);
        Assert.That(Train("killed", "train.stopAfter=2").Code, Is.Zero);
        Directory.Delete(_rig.Checkpoint("killed", 2), recursive: true);
        CommandLine again = CommandLine.Run("train", "--resume", _rig["killed"], "--device", "cpu", "--set", "train.stopAfter=4");
        Assert.That(again.Error, Is.EqualTo($"nanofold: {_rig["killed"]} has no checkpoint yet: starting from the beginning\nnanofold: beginning with the weights of {_rig.Checkpoint("source", 5)}\n"));

        Directory.Move(_rig["source"], _rig["gone"]);
        Assert.That(CommandLine.Run("train", "--resume", _rig["killed"], "--device", "cpu").Code, Is.Zero);
        // How far the weights have moved is known only where the first ones are.
        _rig.AssertSame("killed", "straight", 9, metrics: false);
        Assert.That(_rig.Metrics("killed"), Is.EqualTo(_rig.Metrics("straight").Select(line => line.Split(" drift=")[0])));
        Assert.That(_rig.Metrics("straight"), Has.Some.Contains(" drift="));
        Assert.That(CommandLine.Run("plan", "--resume", _rig["killed"]).Code, Is.Zero);
    }

    [Test]
    public void AFolderWithAModelAndAConfigurationOfARunDo()
    {
        Directory.CreateDirectory(_rig["model"]);
        foreach (string file in new[] { ModelFile.Name, RunConfig.FileName, "tokenizer.json" })
        {
            File.Copy(_rig.Checkpoint("source", 5, file), Path.Combine(_rig["model"], file));
        }

        Assert.That(Train("straight").Code, Is.Zero);
        Assert.That(TrainFrom(_rig["model"], "run", "train.optimizer=muon").Code, Is.Zero);
        _rig.AssertSame("run", "straight", 9);
        Assert.That(CommandLine.Run("train", "--config", Path.Combine(_rig["run"], RunConfig.FileName), "--out", _rig["again"], "--device", "cpu").Code, Is.Zero);
        _rig.AssertSame("again", "straight", 9);

        // Other weights of the same shapes are not what that configuration means.
        string weights = Path.Combine(_rig["model"], ModelFile.Name);
        _rig.Train("stranger", "train.stopAfter=1");
        File.Copy(_rig.Checkpoint("stranger", 1, ModelFile.Name), weights, overwrite: true);
        CommandLine changed = CommandLine.Run("train", "--config", Path.Combine(_rig["run"], RunConfig.FileName), "--out", _rig["never"], "--device", "cpu");
        Assert.That((changed.Code, changed.ErrorLines.Length), Is.EqualTo((1, 1)));
        Assert.That(changed.Error, Does.StartWith($"nanofold: {weights}: is not what the run begins with: its SHA-256 is "));
        Assert.That(Directory.Exists(_rig["never"]), Is.False);
    }

    [Test]
    public void AnotherModelOrTokenizerIsRefused()
    {
        string theirs = $"of the weights to begin with, {_rig.Checkpoint("source", 5)}; leave it out to take theirs\n";
        CommandLine model = Train("never", "model.layers=3", "model.width=16", "model.mixer=attention", "model.ropeBase=500");
        Assert.That((model.Code, model.Error), Is.EqualTo((2, $"nanofold: model.layers: 3 is not the 2 {theirs}nanofold: model.ropeBase: 500 is not the 10000 {theirs}")));

        CommandLine tokenizer = Train("never", "tokenizer=bpe", "tokenizer.vocab=300");
        Assert.That(tokenizer.Code, Is.EqualTo(1));
        Assert.That(tokenizer.ErrorLines[^1], Does.StartWith($"nanofold: tokenizer: that of {_text} (bpe, 299 tokens) is not that of the weights to begin with (byte, 256 tokens, "));

        Assert.That(TrainFrom(_rig["nothing"], "never").Error, Is.EqualTo($"nanofold: {_rig["nothing"]}: there is no such run or checkpoint folder\n"));
        Assert.That(TrainFrom(_text, "never").Error, Is.EqualTo($"nanofold: {_text}: is a file; name the folder of a run or checkpoint\n"));
        Assert.That(Directory.Exists(_rig["never"]), Is.False);
        using var backend = new CpuBackend(1);
        Assert.That(
            () => TrainSession.Open(_rig.Config("model.layers=1") with { Train = _rig.Config().Train with { Init = _rig["source"] } }, backend),
            Throws.TypeOf<ConfigException>().With.Message.Contains("model.layers: 1 is not the 2 of the weights"));
    }

    [Test]
    public void ContextScalingDropoutAndEditsAreFreeWhereNoShapeDependsOnThem()
    {
        string scaling = """model.ropeScaling={"kind":"yarn","factor":1.5,"original":8}""";
        Assert.That(Train("run", "model.context=12", scaling, "model.dropout=0.1", """model.edits=[{"kind":"ablate","points":"blocks.0.hook_mlp_out"}]""", "train.stopAfter=1").Code, Is.Zero);
        ModelConfig model = RunConfig.Load(_rig["run"]).Model;
        Assert.That((model.Context, model.RopeScaling), Is.EqualTo((12, new YarnConfig { Factor = 1.5, Original = 8 })));

        _rig.Train("learned", "model.position=learned", "train.stopAfter=1");
        CommandLine run = TrainFrom(_rig["learned"], "never", "model.context=12");
        Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((1, 1)));
        Assert.That(run.Error, Is.EqualTo($"nanofold: {_rig.Checkpoint("learned", 1, ModelFile.Name)}: 'model.embed_positions.weight' is [8, 16]; the model expects [12, 16]\n"));
    }

    /// <summary>Adapters, and models that came from elsewhere, are fine-tuned by AdamW at a rate for that, unless a preset or an optimizer is named.</summary>
    [TestCase(true, false, null, ExpectedResult = "muon 0.01")]
    [TestCase(true, true, null, ExpectedResult = "adamw 0.001")]
    [TestCase(false, false, null, ExpectedResult = "adamw 0.0001")]
    [TestCase(false, true, null, ExpectedResult = "adamw 0.001")]
    [TestCase(false, false, "train.learningRate=0.01", ExpectedResult = "adamw 0.01")]
    [TestCase(false, true, "train.optimizer=lion", ExpectedResult = "lion 0.001")]
    [TestCase(false, false, "preset=nano", ExpectedResult = "muon 0.01")]
    public string TheRatesAreThoseOfFineTuning(bool trainedHere, bool adapters, string? setting)
    {
        string start = _rig.Checkpoint("source", 5);
        if (!trainedHere)
        {
            File.Delete(Path.Combine(start, TrainState.FileName));
        }

        var tree = new ConfigTree();
        tree.Set("train.init", start);
        if (adapters)
        {
            tree.Set("model.adapters", new JsonArray("lora"));
        }

        if (setting is not null)
        {
            tree.Set(setting);
        }

        RunConfig config = tree.Build();
        return FormattableString.Invariant($"{config.Train.Optimizer.Kind} {config.Train.LearningRate}");
    }

    [Test]
    public void DamagedWeightsAreNotBegunWith()
    {
        string path = _rig.Checkpoint("source", 5, ModelFile.Name);
        byte[] bytes = File.ReadAllBytes(path);
        bytes[^5] ^= 1;
        File.WriteAllBytes(path, bytes);

        Assert.That(Train("never").Error, Is.EqualTo($"nanofold: {path}: is damaged or was changed: its SHA-256 is not that of what was written\n"));
        Assert.That(Directory.Exists(_rig["never"]), Is.False);
    }

    private CommandLine Train(string folder, params string[] settings) => TrainFrom(_rig["source"], folder, settings);

    private CommandLine TrainFrom(string init, string folder, params string[] settings) => CommandLine.Run(
    [
        "train", "--init", init, "--data", _text, "--steps", "9", "--batch", "2", "--device", "cpu", "--threads", "1", "--out", _rig[folder],
        .. new[] { "train.schedule=cosine", "geometry.enabled=false", "train.checkpointEvery=4", "train.evaluateEvery=9" }.Concat(settings).SelectMany(setting => new[] { "--set", setting }),
    ]);
}
