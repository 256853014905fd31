using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Autograd;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Modules;

/// <summary>Layers of one input as one product, where a backend asks for it and they lie one after the other.</summary>
public class JoinedLinearTests : EngineTests
{
    private static readonly ModelConfig s_model = ModelVariants.Base with { Layers = 1 };

    private static IEnumerable<TestCaseData> Variants => ModelVariants.All.Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [TestCaseSource(nameof(Variants))]
    public void EveryModelLearnsTheSameToRounding(ModelConfig config)
    {
        using var apart = new TinyModel(config, Backend(), DType.Float64);
        using var joined = new TinyModel(config, Joining(), DType.Float64);
        (double loss, double[] gradients) = apart.Train();
        (double joinedLoss, double[] joinedGradients) = joined.Train();
        double tolerance = 1e-11 * MixerReference.SensitivityOf(config);
        Assert.That(joinedLoss, Is.EqualTo(loss).Within(tolerance));
        Numbers.AssertClose(joinedGradients, gradients, tolerance, "gradients");
    }

    [Test]
    public void QueriesKeysAndValuesAreOneProductAndGateAndUpAnother()
    {
        Assert.That(Products(s_model), Is.EqualTo(4), "with the output of attention and the down projection");
        Assert.That(Products(s_model, Backend()), Is.EqualTo(7), "where the backend does not ask for it");
        Assert.That(Products(s_model with { KvHeads = 2, Bias = true }), Is.EqualTo(7), "biases of 16 and 24 elements, each of which begins at a multiple of 64");
        Assert.That(Products(s_model with { Width = 64, Heads = 1, Bias = true, Hidden = 64 }), Is.EqualTo(4), "with biases");
    }

    [Test]
    public void WhatDoesNotLieTogetherIsApart()
        => Assert.That(Products(ModelVariants.Base with { Layers = 1, Width = 18, Heads = 3, Hidden = 32 }), Is.EqualTo(4 + 2), "18 · 18 is no multiple of 64, 32 · 18 is");

    [TestCase("model.layers.0.self_attn.k_proj.weight", 6, TestName = "One is trained")]
    [TestCase("model.layers.0.self_attn.*", 4, TestName = "Of attention all are trained, of the rest none")]
    public void TrainedAndFrozenOnesAreApart(string trained, int products)
        => Assert.That(Products(s_model, trains: new NameGlobs("trained", [trained])), Is.EqualTo(products));

    [Test]
    public void AnAdaptedLayerIsApartAndTheOthersWithIt()
    {
        ModelConfig adapted = s_model with { Adapters = [new LoraConfig { Targets = ["q_proj"], Rank = 2 }] };
        Assert.That(Products(adapted), Is.EqualTo(6 + 1), "q by itself twice, k, v; gate and up joined");
    }

    [Test]
    public void AParameterThatIsInUseByItselfIsNotJoined()
    {
        using var recorded = Two();
        var tape = new Tape(recorded.Store.Backend, training: true);
        Parameter[] both = [.. recorded.Store.Parameters];
        tape.Use(both[1]);
        Assert.That(tape.UseJoined(both).IsNone);
    }

    [Test]
    public void AParameterOfAJoinIsAPartOfItFromThenOn()
    {
        using var recorded = Two();
        var tape = new Tape(recorded.Store.Backend, training: true);
        Parameter[] both = [.. recorded.Store.Parameters];
        Tensor whole = tape.UseJoined(both), part = tape.Use(both[1]);
        Assert.That((part.Id, part.Offset, part.Layout), Is.EqualTo((whole.Id, both[0].Layout.Count, both[1].Layout)));
        Assert.That(tape.UseJoined(both).Id, Is.EqualTo(whole.Id), "again");
        Assert.That(tape.UseJoined([both[0]]).IsNone, "another join of a part");
    }

    /// <summary>A part that is used by itself too: its gradient adds up from both.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void GradientsComeFromTheJoinAndFromItsParts(bool begins)
    {
        Tensor Apart(Tape tape, Func<string, Tensor> use) => AddOp.Record(tape, LinearOp.Record(tape, use("b"), use("a")), ScaleOp.Record(tape, LinearOp.Record(tape, use("b"), use("b")), 2));
        using var apart = new RecordedFunction(Backend(), DType.Float64, [("a", [16, 16]), ("b", [16, 16])], Apart);
        ParameterStore? store = null;
        using var joined = new RecordedFunction(Joining(), DType.Float64, [("a", [16, 16]), ("b", [16, 16])], (tape, use) =>
        {
            Tensor whole = tape.UseJoined([.. store!.Parameters]), all = LinearOp.Record(tape, use("b"), whole);
            return AddOp.Record(tape, all.Slice(1, 0, 16), ScaleOp.Record(tape, all.Slice(1, 16, 16), 2));
        });
        store = joined.Store;
        Assert.That(joined.Run(begins: begins), Is.EqualTo(apart.Run()).Within(1e-12));
        Numbers.AssertClose(joined.Gradients(), apart.Gradients(), 1e-13, "gradients");
    }

    private RecordedFunction Two() => new(Joining(), DType.Float32, [("a", [16, 16]), ("b", [16, 16])], (_, use) => use("a"));

    private CountingBackend Joining() => new(Backend()) { Overwrites = true, Joins = true };

    // Of the model's body.
    private int Products(ModelConfig config, Backend? backend = null, NameGlobs? trains = null)
    {
        using var model = new TinyModel(config, backend ?? Joining(), trains: trains);
        return model.TrainingTape().Nodes.Count(node => node.Op is LinearOp or LinearSumOp && node.Path.StartsWith("blocks", StringComparison.Ordinal));
    }
}
