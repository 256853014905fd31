using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Training;

public class TrainedModelTests
{
    /// <summary>A model that is only read takes the memory of its values: no gradients, whatever is done with it.</summary>
    [Test]
    public void ItHoldsNoGradients()
    {
        using var rig = new TrainRig();
        rig.Train("run", "train.stopAfter=2");
        using var inner = new CpuBackend(1);
        using var backend = new CountingBackend(inner);
        using TrainedModel trained = TrainedModel.Load(rig["run"], backend);

        Assert.That(backend.AllocatedBytes, Is.EqualTo((trained.Model.Store.Elements * sizeof(float)) + trained.Model.TableBytes));
        _ = trained.Evaluate(Corpus.Open(rig.TextPath));
        using var generator = new Generator(trained.Model, trained.Tokenizer);
        _ = generator.Generate(["no."], trained.Config.Generation with { MaxTokens = 3 }, 1);
        Assert.That(trained.Model.Store.Bytes, Is.EqualTo(trained.Model.Store.Elements * sizeof(float)));

        _ = trained.Model.Store.AllGradients;
        Assert.That(trained.Model.Store.Bytes, Is.EqualTo((trained.Model.Store.Elements + trained.Model.Store.TrainedElements) * sizeof(float)));
    }

    /// <summary>Of the run's own text the part that was held back gives the figure of training; parts add up to all.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void PartsOfTheRunsOwnTextAreThoseOfTraining(bool several)
    {
        using var rig = new TrainRig();
        string path = rig.TextPath;
        for (int i = 0; several && i < 12; i++)
        {
            path = rig["many-*.txt"];
            rig.Write($"many-{i:D2}.txt", string.Concat(TrainRig.Text.Skip(i * 120).Take(120)));
        }

        TrainSummary summary = rig.Train("run", $"data.path={path}", "train.evaluationWindows=3");
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(rig["run"], backend);
        using Corpus own = Corpus.Open(path);
        Evaluation held = trained.Evaluate(own, TextPart.Validation), learned = trained.Evaluate(own, TextPart.Train), all = trained.Evaluate(own, TextPart.All);

        Assert.That(trained.IsOwn(own), Is.True);
        Assert.That((held.Loss, held.Tokens), Is.EqualTo((summary.FullValidation!.Value.Loss, summary.FullValidation.Value.Tokens)));
        Assert.That(learned.Loss, Is.Not.EqualTo(held.Loss));
        Assert.That(learned.Tokens + held.Tokens + 1, Is.EqualTo(all.Tokens), "the first token of each is no target");
        Assert.That(trained.Evaluate(own), Is.EqualTo(all));
        Assert.That(trained.IsOwn(Corpus.FromText("x", TrainRig.Text + " ")), Is.False);
    }

    [Test]
    public void WhereNothingWasHeldBackAllIsEvaluated()
    {
        using var rig = new TrainRig();
        rig.Train("run", "data.validationFraction=0.0001", "train.stopAfter=1");
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(rig["run"], backend);
        using Corpus own = Corpus.Open(rig.TextPath);

        Assert.That((trained.IsOwn(own), trained.PartToEvaluate(own)), Is.EqualTo((true, TextPart.All)));
        Assert.That(() => trained.Evaluate(own, TextPart.Validation), Throws.TypeOf<UserException>().With.Message.Contains("the part to validate with: has 1 tokens"));
    }

    [Test]
    public void AValidationTextOfItsOwnIsThePartOfTheRunsTextOnly()
    {
        using var rig = new TrainRig();
        string other = rig.Write("other.txt", TrainRig.Text[..500]);
        TrainSummary summary = rig.Train("run", $"data.validation={other}");
        using var backend = new CpuBackend(1);
        using TrainedModel trained = TrainedModel.Load(rig["run"], backend);
        using Corpus own = Corpus.Open(rig.TextPath), foreign = Corpus.Open(other);

        Assert.That((trained.IsOwn(own), trained.IsOwn(foreign)), Is.EqualTo((true, false)));
        Assert.That((trained.PartToEvaluate(own), trained.PartToEvaluate(foreign)), Is.EqualTo((TextPart.Validation, TextPart.All)));
        Assert.That(trained.Evaluate(own, TextPart.Validation).Loss, Is.EqualTo(summary.FullValidation!.Value.Loss));
        Assert.That(trained.Evaluate(foreign), Is.EqualTo(trained.Evaluate(own, TextPart.Validation)));
        Assert.That(trained.Evaluate(own, TextPart.Train).Tokens, Is.EqualTo(TrainRig.Text.Length - 1));
        Assert.That(trained.Evaluate(foreign, TextPart.Validation).Tokens, Is.EqualTo(125 - 1), "a quarter of it");
    }

    /// <summary>What a configuration claims is compared with the header of the weights before any of it is allocated; hashes are not needed for it.</summary>
    [TestCase("\"width\": 16", "\"width\": 4096", "'model.embed_tokens.weight' is [256, 16]; the model expects [256, 4096]")]
    [TestCase("\"vocab\": 256", "\"vocab\": 4000000", "'model.embed_tokens.weight' is [256, 16]; the model expects [4000000, 16]")]
    [TestCase("\"layers\": 2", "\"layers\": 1000", "'model.layers.2.input_layernorm.weight' is missing")]
    [TestCase("\"hidden\": 24", "\"hidden\": 200000", "'model.layers.0.mlp.gate_proj.weight' is [24, 16]; the model expects [200000, 16]")]
    public void NothingIsAllocatedForWhatAConfigurationOnlyClaims(string what, string with, string problem)
    {
        using var rig = new TrainRig();
        rig.Train("run", "train.stopAfter=2");
        rig.MakeOlder("run", 2);
        foreach (string path in new[] { rig.Checkpoint("run", 2, RunConfig.FileName), Path.Combine(rig["run"], RunConfig.FileName) })
        {
            string text = File.ReadAllText(path);
            Assert.That(text, Does.Contain(what));
            File.WriteAllText(path, text.Replace(what, with, StringComparison.Ordinal));
        }

        using var inner = new CpuBackend(1);
        using var backend = new CountingBackend(inner);
        string expected = $"{rig.Checkpoint("run", 2, "model.safetensors")}: {problem}";
        Assert.That(() => TrainedModel.Load(rig["run"], backend), Throws.TypeOf<UserException>().With.Message.StartsWith(expected));
        Assert.That(() => TrainSession.Resume(rig["run"], backend), Throws.TypeOf<UserException>().With.Message.StartsWith(expected));
        Assert.That(backend.AllocatedBytes, Is.Zero);
    }

    [Test]
    public void WhatIsReadNextIsNotDrawn()
    {
        using var backend = new CpuBackend(1);
        var shape = new ModelConfig { Layers = 1, Width = 16, Heads = 2, Context = 8, Vocab = 20, Hidden = 24 };
        using var drawn = new Transformer(shape, backend);
        using var empty = new Transformer(shape, backend, seed: null);

        Assert.That(drawn.Store.Parameters.Select(p => Host.Read(drawn.Store, p).Any(v => v != 0)), Is.All.True);
        Assert.That(empty.Store.Parameters.SelectMany(p => Host.Read(empty.Store, p)), Is.All.Zero);
    }
}
