using System.Security.Cryptography;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Runs;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Runs that begin with the weights of another and train a part: their checkpoints hold that part, the other run's the rest.</summary>
[NonParallelizable]
public class AdapterRunTests
{
    private const string Lora = "model.adapters=[{\"kind\":\"lora\",\"rank\":2,\"targets\":[\"q_proj\",\"mlp.up_proj\"]}]";

    private TuningRig _tuning = null!;
    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = (_tuning = new TuningRig()).Train;

    [TearDown]
    public void End() => _tuning.Dispose();

    [Test]
    public void AdaptersAreTrainedAndSavedAlone()
    {
        TrainFrom("base", "run", Lora, "train.checkpointAtStart=true");
        string[] names = [.. _tuning.Tensors("run", 9).Keys];
        Assert.That(names, Is.EquivalentTo(from layer in new[] { 0, 1 } from module in new[] { "self_attn.q_proj", "mlp.up_proj" } from part in "AB"
            select $"model.layers.{layer}.{module}.lora_{part}.weight"));
        using (SafeTensorsFile moments = SafeTensorsFile.Open(_rig.Checkpoint("run", 9, OptimizerFile.Name)))
        {
            // Each of 8 matrices has room for a multiple of 64: (2 · 16, 16 · 2, 2 · 16, 24 · 2) twice.
            Assert.That(moments["first"].Count, Is.EqualTo(8 * 64));
        }

        // Both files together, within their headers; as it is planned.
        using (var backend = new CpuBackend(1))
        using (TrainSession session = TrainSession.Resume(_rig["run"], backend))
        {
            long bytes = _rig.Bytes("run", 9, ModelFile.Name).Length + _rig.Bytes("run", 9, OptimizerFile.Name).Length;
            Assert.That(DiskCheck.CheckpointBytes(session), Is.InRange(bytes - 3000, bytes + 3000));
        }

        // It begins as the base: B is zero. What it says of itself names the base.
        RunConfig config = RunConfig.Load(_rig["run"]);
        Assert.That((config.Train.Init, config.Train.InitHash), Is.EqualTo((_rig.Checkpoint("base", 5), Convert.ToHexStringLower(SHA256.HashData(_rig.Bytes("base", 5, ModelFile.Name))))));
        double start = _tuning.Loss(_rig["base"]);
        Assert.That(_tuning.Loss(_rig.Checkpoint("run", 0)), Is.EqualTo(start));
        Assert.That(_tuning.Loss(_rig["run"]), Is.LessThan(start));
        Assert.That(CommandLine.Run("generate", "--model", _rig["run"], "--prompt", "no.", "--max-tokens", "4", "--device", "cpu").Code, Is.Zero);
    }

    [TestCase("\"dropout\":0.2")]
    [TestCase("\"dora\":true,\"dropout\":0.2")]
    public void AResumedRunHasTheSameBits(string more)
    {
        string adapters = Lora.Replace("\"rank\":2", $"\"rank\":2,{more}", StringComparison.Ordinal);
        _tuning.AssertResumesToTheSameBits("base", _rig.TextPath, adapters, "model.dropout=0.1", "geometry.enabled=true", "train.sampleEvery=5", "train.accumulate=2");
    }

    [Test]
    public void FrozenPartsAreLeftToTheModelThatTheyComeFrom()
    {
        TrainFrom("base", "run", "train.trainable=[\"*.mlp.*\"]");
        Assert.That(_tuning.Tensors("run", 9).Keys, Is.All.Contains(".mlp.").And.Exactly(6).Items);

        // One on top of the other: adapters on a base that is itself a part.
        TrainFrom("run", "top", Lora);
        Assert.That(_tuning.Tensors("top", 9).Keys, Is.All.Contains("lora_"));
        Dictionary<string, float[]> whole = _tuning.Values("top"), middle = _tuning.Values("run"), first = _tuning.Values("base");
        Assert.That(whole["model.layers.0.mlp.up_proj.weight"], Is.EqualTo(middle["model.layers.0.mlp.up_proj.weight"]).And.Not.EqualTo(first["model.layers.0.mlp.up_proj.weight"]));
        Assert.That(whole["model.layers.1.self_attn.q_proj.weight"], Is.EqualTo(first["model.layers.1.self_attn.q_proj.weight"]));

        // A run that goes on with a run's adapters takes them with it.
        TrainFrom("top", "more", "train.steps=3");
        Assert.That(_tuning.Tensors("more", 3).Keys, Is.EquivalentTo(_tuning.Tensors("top", 9).Keys));
        CommandLine other = _tuning.TryTrain("top", _rig.TextPath, "never", Lora.Replace(":2", ":3", StringComparison.Ordinal));
        Assert.That(other.Code, Is.EqualTo(2));
        Assert.That(other.Error, Does.StartWith("nanofold: model.adapters: [").And.Contains($"of the weights to begin with, {_rig.Checkpoint("top", 9)}; leave it out to take theirs"));
    }

    [Test]
    public void AnAdapterIsWrittenReadMergedAndTrainedOn()
    {
        string lora = Lora.Replace("\"rank\":2", "\"rank\":2,\"dora\":true", StringComparison.Ordinal);
        TrainFrom("base", "run", lora, "train.learningRate=0.01", "train.checkpointAtStart=true");
        Assert.That(_tuning.Loss(_rig.Checkpoint("run", 0)), Is.EqualTo(_tuning.Loss(_rig["base"])).Within(1e-6), "in the beginning rows have the sizes of the base's");
        JsonObject exported = CommandLine.Json("export", "--model", _rig["run"], "--format", "peft", "--out", _rig["adapter"]);
        Assert.That((string)exported["format"]!, Is.EqualTo("adapter of peft"));
        JsonObject keys = JsonNode.Parse(File.ReadAllText(Path.Combine(_rig["adapter"], "adapter_config.json")))!.AsObject();
        Assert.That((string?)keys["base_model_name_or_path"], Is.EqualTo(_rig.Checkpoint("base", 5)));
        double loss = _tuning.Loss(_rig["run"]);
        Assert.That(_tuning.Loss(_rig["base"]) - loss, Is.GreaterThan(0.001));
        Assert.That(_tuning.Loss(_rig["adapter"]), Is.EqualTo(loss), "by the base that it names");
        string[] evaluate = ["eval", "--data", _rig.TextPath, "--part", "all", "--device", "cpu", "--model"];
        Assert.That((double)CommandLine.Json([.. evaluate, _rig["base"], "--adapter", _rig["adapter"]])["loss"]!, Is.EqualTo(loss).Within(1e-9));
        CommandLine.Json("export", "--model", _rig["base"], "--adapter", _rig["adapter"], "--format", "huggingface", "--out", _rig["merged"]);
        Assert.That((double)CommandLine.Json([.. evaluate, _rig["merged"]])["loss"]!, Is.EqualTo(loss).Within(1e-5));

        // Trained on, it is an adapter of the same base.
        TrainFrom("adapter", "more", "train.steps=3");
        Assert.That(_tuning.Tensors("more", 3).Keys, Is.EquivalentTo(_tuning.Tensors("run", 9).Keys));
        Assert.That(CommandLine.Run("generate", "--model", _rig["more"], "--prompt", "no.", "--max-tokens", "2", "--device", "cpu").Code, Is.Zero);

        // The change of weights is that of the matrices as they act.
        JsonObject geometry = CommandLine.Json("geometry", "--model", _rig["run"], "--against", _rig["base"], "--measures", "weight-change", "--out", _rig["geometry"], "--device", "cpu");
        string changed = File.ReadLines(Path.Combine(_rig["geometry"], "geometry.jsonl")).First(line =>
            line.Contains("layers.0.self_attn.q_proj.weight", StringComparison.Ordinal) && line.Contains("\"relativeChange\"", StringComparison.Ordinal) && line.Contains("base/", StringComparison.Ordinal));
        Assert.That((double)JsonNode.Parse(changed)!["value"]!, Is.GreaterThan(1e-4), geometry.ToJsonString());
    }

    [Test]
    public void AnAdapterThatDoesNotFitIsOneLine()
    {
        TrainFrom("base", "run", Lora);
        CommandLine.Json("export", "--model", _rig["run"], "--format", "peft", "--out", _rig["adapter"]);
        string config = Path.Combine(_rig["adapter"], "adapter_config.json"), text = File.ReadAllText(config);
        _rig.Train("narrow", "model.width=8", "train.stopAfter=1");
        AssertLine($"'{Tensor}' is [2, 16]; ", "--model", _rig["narrow"], "--adapter", _rig["adapter"]);
        _rig.Train("shallow", "model.layers=1", "train.stopAfter=1");
        AssertLine($"and {_rig.Checkpoint("shallow", 1)} has no model.layers.1.mlp.up_proj: the adapter is of another model", "--model", _rig["shallow"], "--adapter", _rig["adapter"]);
        AssertLine("has adapters of its own (model.adapters), on which no other is put", "--model", _rig["run"], "--adapter", _rig["adapter"]);
        AssertLine("is no folder of an adapter (it has no adapter_config.json)", "--model", _rig["base"], "--adapter", _rig["base"]);
        AssertChanged("\"r\": 2", "\"r\": 3", "adapter_config.json says rank 3");
        AssertChanged("\"LORA\"", "\"IA3\"", "peft_type = \"IA3\": adapters of this type are not supported; LORA is");
        AssertChanged("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", "changes the base model too");
        AssertChanged("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"(?<=a)b\": 3}", "'(?<=a)b' is a pattern that is not supported");
        AssertChanged($"\"base_model_name_or_path\": \"{_rig.Checkpoint("base", 5)}\"", "\"base_model_name_or_path\": \"some/where\"", "holds an adapter of some/where, which is not there; name the model that it belongs to: --model MODEL --adapter");
        Assert.That(CommandLine.Run("export", "--model", _rig["base"], "--format", "peft", "--out", _rig["none"]).Error, Does.Contain("has no adapters (model.adapters)"));

        void AssertChanged(string before, string after, string message)
        {
            Assert.That(text, Does.Contain(before));
            File.WriteAllText(config, text.Replace(before, after, StringComparison.Ordinal));
            AssertLine(message, "--model", _rig["adapter"]);
        }

        void AssertLine(string message, params string[] options)
        {
            CommandLine command = CommandLine.Run(["generate", "--prompt", "no.", "--max-tokens", "2", "--device", "cpu", .. options]);
            Assert.That((command.Code, command.ErrorLines.Length), Is.EqualTo((1, 1)), command.Error);
            Assert.That(command.Error, Does.Contain(message));
        }
    }

    private const string Tensor = "model.layers.0.mlp.up_proj.lora_A.weight";

    [Test]
    public void ARunWithoutABaseSavesEverything()
    {
        _rig.Train("alone", Lora, "model.initialization=scaled", "train.stopAfter=2");
        Assert.That(_tuning.Tensors("alone", 2).Keys, Is.SupersetOf(new[] { "model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.lora_A.weight", "lm_head.weight" }));
    }

    [Test]
    public void ABaseThatIsGoneOrChangedIsOneLine()
    {
        TrainFrom("base", "run", Lora);
        string needs = $"nanofold: {_rig.Checkpoint("run", 9)}: needs the weights that it began with, {_rig.Checkpoint("base", 5)} (train.init)";
        string weights = _rig.Checkpoint("base", 5, ModelFile.Name);
        byte[] bytes = File.ReadAllBytes(weights);
        File.WriteAllBytes(weights, [.. bytes[..^1], (byte)(bytes[^1] ^ 1)]);
        AssertLine($"{needs}, and {weights} has changed since then; put back what it was\n");
        File.WriteAllBytes(weights, bytes[..^8]);
        AssertLine($"{needs}: ");
        File.WriteAllBytes(weights, bytes);
        Assert.That(Generate().Code, Is.Zero);

        // It is found where both were moved together, and only with the same weights.
        Directory.CreateDirectory(_rig["elsewhere"]);
        Directory.Move(_rig["base"], Path.Combine(_rig["elsewhere"], "base"));
        AssertLine($"{needs}, which are not there; put them back\n");
        Directory.Move(_rig["run"], Path.Combine(_rig["elsewhere"], "run"));
        Assert.That(CommandLine.Run("generate", "--model", Path.Combine(_rig["elsewhere"], "run"), "--prompt", "no.", "--max-tokens", "2", "--device", "cpu").Code, Is.Zero);

        CommandLine Generate() => CommandLine.Run("generate", "--model", _rig["run"], "--prompt", "no.", "--max-tokens", "2", "--device", "cpu");

        void AssertLine(string line)
        {
            foreach (CommandLine command in new[] { Generate(), CommandLine.Run("train", "--resume", _rig["run"], "--set", "train.steps=12", "--device", "cpu") })
            {
                Assert.That((command.Code, command.ErrorLines.Length), Is.EqualTo((1, 1)), command.Error);
                Assert.That(command.Error, Does.StartWith(line).And.Not.Contains("checkpoint of the run").And.Not.Contains("delete "));
            }
        }
    }

    [TestCase("model.adapters=[{\"kind\":\"lora\",\"targets\":[\"q_porj\"]}]", "model.adapters.0.targets.0: \"q_porj\" is no linear layer of the model; did you mean q_proj?")]
    [TestCase("train.trainable=[\"*.lora_A.*\"]", "train.trainable: '*.lora_A.*' matches no parameter")]
    public void WhatMeetsNothingIsRefusedBeforeAnythingIsWritten(string setting, string problem)
    {
        CommandLine run = _tuning.TryTrain("base", _rig.TextPath, "never", setting);
        Assert.That((run.Code, run.ErrorLines.Length), Is.EqualTo((2, 1)), run.Error);
        Assert.That(run.Error, Does.StartWith($"nanofold: {problem}"));
        Assert.That(Directory.Exists(_rig["never"]), Is.False);
    }

    private void TrainFrom(string start, string folder, params string[] more) => _tuning.TrainFrom(start, _rig.TextPath, folder, more);
}
