using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Runs;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Configuration;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Runs;

/// <summary>Runs that train a part of their parameters.</summary>
[NonParallelizable]
public class TrainableTests
{
    private const string Part = "train.trainable=[\"model.layers.1.*\", \"*.norm.weight\"]";

    // Of the rig's model: a layer's q, k, v, o and gate, up, down; the gains of its norms and of the last, each with room for 64.
    private const int Matrices = (4 * 16 * 16) + (3 * 24 * 16), Gains = 3 * 64;

    private TrainRig _rig = null!;

    [SetUp]
    public void Begin() => _rig = new TrainRig();

    [TearDown]
    public void End() => _rig.Dispose();

    [TestCase("muon", Gains)]
    [TestCase("adamw", Matrices + Gains)]
    public void OnlyThatPartChangesAndHasMoments(string optimizer, int second)
    {
        // A head of zeros that is not trained would let nothing through.
        _rig.Train("run", Part, $"train.optimizer={optimizer}", "model.initialization=scaled", "train.checkpointAtStart=true", "train.stopAfter=5");
        Dictionary<string, float[]> before = Read(0), after = Read(5);

        Assert.That(before.Keys.Where(name => !before[name].AsSpan().SequenceEqual(after[name])),
            Is.EquivalentTo(before.Keys.Where(name => name.StartsWith("model.layers.1.", StringComparison.Ordinal) || name == "model.norm.weight")));
        using SafeTensorsFile moments = SafeTensorsFile.Open(_rig.Checkpoint("run", 5, OptimizerFile.Name));
        Assert.That(moments.Tensors.Select(t => (t.Name, t.Count)), Is.EquivalentTo(new[] { ("first", (long)Matrices + Gains), ("second", (long)second) }));
    }

    [Test]
    public void NamesAreThoseOfTheModelThatTheTaskMakes()
    {
        RunConfig config = Configs.Build("task=regression", "task.dimensions=2", "train.trainable=[\"read_out.*\"]");
        Assert.That(config.Train.Trainable, Is.EqualTo(new[] { "read_out.*" }));
        Assert.That(Configs.Problems("task=regression", "train.trainable=[\"lm_head.*\"]").Single(), Does.StartWith("train.trainable.0: 'lm_head.*' matches no parameter").Or.StartWith("train.trainable: 'lm_head.*' matches no parameter"));
    }

    [Test]
    public void WhatIsFrozenIsTakenOffWhatIsTrained()
    {
        RunConfig config = Configs.Build("train.frozen=[\"model.layers.*\", \"*embed_tokens*\"]");
        Assert.That(new[] { "model.layers.0.mlp.up_proj.weight", "model.embed_tokens.weight", "model.norm.weight", "lm_head.weight" }.Select(config.Train.Trains!.Matches), Is.EqualTo(new[] { false, false, true, true }));
        config = Configs.Build("train.trainable=[\"*.mlp.*\"]", "train.frozen=[\"model.layers.0.*\"]");
        Assert.That(new[] { "model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight", "model.norm.weight" }.Select(config.Train.Trains!.Matches), Is.EqualTo(new[] { false, true, false }));
        Assert.That(Configs.Problems("train.frozen=[\"*\"]").Single(), Is.EqualTo("train.frozen: leaves nothing to be trained"));
        Assert.That(Configs.Problems("train.frozen=[\"lm_haed.*\"]").Single(), Does.StartWith("train.frozen: 'lm_haed.*' matches no parameter"));
        Assert.That(Configs.Problems("train.frozen=[\"*norm*\"]", "model.adapters=[\"lora\"]").Single(), Does.StartWith("train.frozen: beside adapters all else is frozen already"));
    }

    [Test]
    public void AResumedRunHasTheSameBits()
    {
        _rig.Train("straight", Part);
        _rig.Train("stopped", Part, "train.stopAfter=7");
        Assert.That(RunConfig.Load(_rig["stopped"]).Train.Trainable, Is.EqualTo(new[] { "model.layers.1.*", "*.norm.weight" }));
        _rig.Resume("stopped");

        _rig.AssertSame("stopped", "straight", 12);
    }

    [TestCase("model.layers.*.self_atn.*", "did you mean 'model.layers.*.self_attn.*'?")]
    [TestCase("model.layer.1.mlp.up_proj.weight", "did you mean 'model.layers.1.mlp.up_proj.weight'?")]
    [TestCase("model.layers.2.*", "did you mean 'model.layers.*.*'?")]
    [TestCase("adapters.*", "there are model.embed_tokens.weight, model.layers.0.input_layernorm.weight, model.layers.0.self_attn.q_proj.weight and others")]
    public void APatternThatMatchesNothingNamesTheNearest(string glob, string nearest)
    {
        ConfigException fault = Assert.Throws<ConfigException>(() => _rig.Config($"train.trainable=[\"*.norm.weight\", \"{glob}\"]"))!;
        Assert.That(fault.Problems, Is.EqualTo(new[] { new ConfigProblem("train.trainable", $"'{glob}' matches no parameter; {nearest}") }));
    }

    [TestCase("[]", "train.trainable: is empty, so that nothing would be trained; use null to train all")]
    [TestCase("model.*", "train.trainable: expected a list, got \"model.*\"")]
    [TestCase("[3]", "train.trainable.0: expected a string, got 3")]
    public void AListThatIsNoneIsOneLine(string value, string line)
    {
        CommandLine plan = CommandLine.Run("plan", "--set", $"train.trainable={value}", "--set", "tokenizer=byte");
        Assert.That((plan.Code, plan.Error), Is.EqualTo((2, $"nanofold: {line}\n")));
    }

    [Test]
    public void PlanAndTrainSayHowManyThatAre()
    {
        // The gains of two norms of a layer and of the last norm, each of 16.
        string[] settings = [.. _rig.Settings("train.trainable=[\"model.layers.1.*norm.weight\", \"model.norm.weight\"]", "train.steps=1").SelectMany(setting => new[] { "--set", setting })];
        CommandLine train = CommandLine.Run(["train", "--device", "cpu", "--out", _rig["run"], .. settings]);
        Assert.That(train.Standard, Does.Contain(": 12,624 parameters of which 48 are trained, 2 layers,"));
        Assert.That(CommandLine.Json(["plan", "--device", "cpu", .. settings])["trainedParameters"]!.GetValue<long>(), Is.EqualTo(48));
        Assert.That(CommandLine.Run(["plan", "--device", "cpu", .. settings]).Standard, Does.Match("trained +48\n"));
    }

    private Dictionary<string, float[]> Read(long step)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(_rig.Checkpoint("run", step, ModelFile.Name));
        return file.Tensors.ToDictionary(tensor => tensor.Name, tensor =>
        {
            var values = new float[tensor.Count];
            file.Read(tensor.Name, values.AsSpan());
            return values;
        });
    }
}
