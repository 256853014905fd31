using NanoFold.Engine.Corpora;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
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
