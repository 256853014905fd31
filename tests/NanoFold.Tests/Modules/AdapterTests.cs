using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Modules.Adapters;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Exports;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Modules;

/// <summary>Adapters in models of every kind: what they compute, whom they are put around, how they start.</summary>
public class AdapterTests : EngineTests
{
    private static IEnumerable<TestCaseData> Models =>
    [
        .. ModelVariants.Mixers.Where(mixer => mixer is not NoneConfig).Select(mixer => Case(mixer.Kind, ModelVariants.Base with { Mixer = mixer })),
        Case("moe", ModelVariants.Base with { FeedForward = MoeConfig.Tiny, Hidden = 0 }),
        Case("biases", ModelVariants.Base with { Bias = true }),
    ];

    // Those whose matrices are used in ways of their own: as such by a recurrence, in parts, by groups of rows.
    private static IEnumerable<TestCaseData> OwnWays =>
    [
        Case("attention", ModelVariants.Base with { Bias = true, Adapters = [LoraConfig.Tiny with { Bias = true, Dropout = 0.25 }] }),
        Case("latent-attention", ModelVariants.Base with { Mixer = LatentAttentionConfig.Tiny, Adapters = [LoraConfig.Tiny with { Bias = true }] }),
        Case("gru", ModelVariants.Base with { Mixer = GruConfig.Tiny, Adapters = [LoraConfig.Tiny] }),
        Case("mamba", ModelVariants.Base with { Mixer = MambaConfig.Tiny, Adapters = [LoraConfig.Tiny] }),
        Case("head", ModelVariants.Base with { Adapters = [LoraConfig.Tiny with { Targets = ["lm_head", "o_proj", "mlp.*"] }] }),
        Case("head with a bias", ModelVariants.Base with { Adapters = [LoraConfig.Tiny with { Targets = ["all-linear", "lm_head"], Bias = true, Dropout = 0.25 }] }),
        Case("moe", ModelVariants.Base with { FeedForward = MoeConfig.Tiny, Hidden = 0, Adapters = [LoraConfig.Tiny with { RankStabilized = true }] }),
        Case("shared", ModelVariants.Base with { Adapters = [LoraConfig.Tiny with { SharesA = true, Targets = ["q_proj", "k_proj", "v_proj"] }] }),
        Case("embedding", ModelVariants.Base with { Tied = true, Adapters = [LoraConfig.Tiny with { Targets = ["embed_tokens", "o_proj"] }] }),
    ];

    // What is there besides, of which the norm of rows is a constant of the gradient: finite differences say another.
    private static IEnumerable<TestCaseData> Mergeable =>
    [
        .. OwnWays.Where(way => way.Arguments[0] is ModelConfig { Bias: true } or ModelConfig { Adapters: [LoraConfig { Bias: false }] }),
        Case("dora", ModelVariants.Base with { Bias = true, Adapters = [LoraConfig.Tiny with { Dora = true, Dropout = 0.25 }] }),
    ];

    [TestCaseSource(nameof(Mergeable))]
    public void AMergedModelComputesTheSameWithoutAdapters(ModelConfig config)
    {
        using var adapted = new TinyModel(config, Backend(), DType.Float64);
        using Transformer merged = MergedModel.Of(adapted.Model);
        Assert.That(merged.Store.Parameters.Select(p => p.Name), Has.None.Contains("lora_"));
        using var plain = new TinyModel(merged.Config, Backend(), DType.Float64);
        plain.Store.Fill(new StoreSource(merged.Store));
        Numbers.AssertClose(plain.Logits(adapted.Tokens), adapted.Logits(adapted.Tokens), 1e-11, "the logits");
    }

    [Test]
    public void DoraTrainsSizesAndDirectionsApart()
    {
        ModelConfig config = ModelVariants.Base with { Adapters = [LoraConfig.Tiny with { Dora = true, Dropout = 0.25, Targets = ["o_proj"] }] };
        using var model = new TinyModel(config, Backend());
        string[] trained = [.. model.Store.Parameters.Where(p => !p.Frozen).Select(p => p.Name[(p.Name.IndexOf("o_proj", StringComparison.Ordinal) + 7)..]).Distinct()];
        Assert.That(trained, Is.EquivalentTo(new[] { "lora_A.weight", "lora_B.weight", "lora_magnitude_vector" }));
        Assert.That(model.Train().Gradients, Is.All.Not.NaN.And.Some.Not.Zero);
        using var shares = new TinyModel(ModelVariants.Base with { Adapters = [LoraConfig.Tiny with { SharesA = true, Targets = ["q_proj", "v_proj"] }] }, Backend());
        Assert.That(shares.Store.Parameters.Where(p => !p.Frozen).Select(p => p.Name), Is.EquivalentTo(from layer in new[] { 0, 1 }
            from name in new[] { "lora_A.weight", "q_proj.lora_B.weight", "v_proj.lora_B.weight" } select $"model.layers.{layer}.self_attn.{name}"));
    }

    [TestCaseSource(nameof(Models))]
    public void AModelWithAdaptersIsTheOneOfTheMergedMatrices(ModelConfig config)
    {
        var lora = LoraConfig.Tiny;
        using var adapted = new TinyModel(config with { Adapters = [lora] }, Backend(), DType.Float64);
        using var merged = new TinyModel(config, Backend(), DType.Float64);
        int wrapped = 0;
        foreach (Parameter parameter in merged.Store.Parameters)
        {
            double[] values = Host.Read(adapted.Store, adapted.Store[parameter.Name]);
            string layer = parameter.Name[..^(parameter.Name.EndsWith(".weight", StringComparison.Ordinal) ? ".weight".Length : 0)];
            if (Host.Find(adapted.Store, $"{layer}.lora_A.weight") is { } down)
            {
                Add(values, down, Host.Find(adapted.Store, $"{layer}.lora_B.weight")!, parameter.Layout, lora.Rank, lora.Alpha / lora.Rank);
                wrapped++;
            }

            Host.Write(merged.Store, parameter, values);
        }

        Assert.That(wrapped, Is.GreaterThanOrEqualTo(2 * config.Layers));
        double[] logits = merged.Logits(merged.Tokens);
        Numbers.AssertClose(adapted.Logits(adapted.Tokens), logits, 1e-11, "a whole pass");
        using var decoding = new Decoding(adapted, 5);
        Numbers.AssertClose(decoding.Run((_, _) => 5), logits, 1e-11, "with a cache");
    }

    [TestCaseSource(nameof(OwnWays))]
    public void ItsGradientsMatchFiniteDifferences(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend(), DType.Float64);
        Assert.That(model.Store.Parameters.Where(p => !p.Frozen).Select(p => p.Name), Is.All.Contains(".lora_"));
        Assert.That(model.Store.Parameters.Where(p => p.Frozen).Select(p => p.Name), Has.None.Contains(".lora_").And.Some.Contains("input_layernorm"));
        using var check = new GradCheck(model.Store, model.RecordLoss);
        GradientDifference[] differences = [.. check.Run(elements: 1)];
        Assert.That(differences, Has.Length.GreaterThan(8));
        foreach (GradientDifference difference in differences)
        {
            Assert.That(difference.Relative, Is.LessThan(1e-6), difference.ToString());
        }
    }

    [TestCaseSource(nameof(OwnWays))]
    public void WhatOnlyFrozenMatricesNeedIsNotKept(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        using var all = new TinyModel(config, Backend(), trains: new NameGlobs("all", ["*"]));
        Assert.That(new Plan(model.TrainingTape()).ArenaBytes, Is.LessThan(new Plan(all.TrainingTape()).ArenaBytes));
        double[] gradients = model.Train().Gradients;
        Numbers.AssertSameBits(model.Train(recompute: true).Gradients, gradients, "recomputed");
        foreach (bool recompute in new[] { false, true })
        {
            using var separate = new SeparateMemory(model.TrainingTape(), recompute);
            model.Store.Backend.Fill(model.Store.AllGradients, 0);
            separate.Run();
            Numbers.AssertSameBits(model.Gradients(), gradients, $"memory of its own, {(recompute ? "recomputed" : "kept")}");
        }
    }

    [Test]
    public void WeightsThatAreNotTrainedCostNoGradientOfTheirOwn()
    {
        ModelConfig config = ModelVariants.Base;
        using var model = new TinyModel(config, Backend());
        long head = 19 * 16, body = model.Store.Parameters.Where(p => p.Layout.Rank == 2).Sum(p => p.Layout.Count) - (2 * head);
        long pairs = CostModel.FlopsPerToken(config) - (6 * (head + body));
        Assert.That(CostModel.FlopsPerToken(config, new NameGlobs("head", ["lm_head.weight"])), Is.EqualTo((2 * body) + (4 * head) + pairs));
        Assert.That(CostModel.FlopsPerToken(config, new NameGlobs("embedding", ["model.embed_tokens.weight"])), Is.EqualTo((4 * (head + body)) + pairs));

        // What adapters read in the first layer needs no gradient; after them everything does.
        long low = 2 * (16 + 16), adapted = CostModel.FlopsPerToken(config with { Adapters = [new LoraConfig { Rank = 2, Targets = ["q_proj"] }] });
        Assert.That(adapted - pairs - (4 * (head + body)) - (2 * 6 * low), Is.InRange(-2 * 4 * 16 * 16, 0));
    }

    [Test]
    public void AModelBeginsAsTheOneWithoutAdapters()
    {
        using var plain = new TinyModel(ModelVariants.Base, Backend(), perturbed: false);
        using var adapted = new TinyModel(ModelVariants.Base with { Adapters = [new LoraConfig { Targets = [AdapterConfig.AllLinear] }] }, Backend(), perturbed: false);
        Numbers.AssertSameBits(adapted.Logits(adapted.Tokens), plain.Logits(plain.Tokens), "the logits");

        // Of DoRA the sizes of rows are those of the matrices, to rounding.
        using var dora = new TinyModel(ModelVariants.Base with { Adapters = [new LoraConfig { Targets = [AdapterConfig.AllLinear], Dora = true }] }, Backend(), perturbed: false);
        Numbers.AssertClose(dora.Logits(dora.Tokens), plain.Logits(plain.Tokens), 1e-6, "the logits with DoRA");

        // Uniform within 1/√in, as peft draws it.
        double[] down = Host.Read(adapted.Store, adapted.Store["model.layers.1.self_attn.q_proj.lora_A.weight"]);
        Assert.That(down, Has.Length.EqualTo(8 * 16));
        Assert.That(down.Max(Math.Abs), Is.InRange(0.24, 0.25));
        Assert.That(down.Average(x => x * x), Is.InRange(0.016, 0.026));
        Assert.That(Host.Read(adapted.Store, adapted.Store["model.layers.1.self_attn.q_proj.lora_B.weight"]), Is.All.Zero);
    }

    [Test]
    public void DropoutActsInTrainingOnly()
    {
        ModelConfig config = ModelVariants.Base with { Adapters = [LoraConfig.Tiny] };
        using var kept = new TinyModel(config, Backend());
        using var dropped = new TinyModel(config with { Adapters = [LoraConfig.Tiny with { Dropout = 0.5 }] }, Backend());
        Numbers.AssertSameBits(dropped.Logits(dropped.Tokens), kept.Logits(kept.Tokens), "the logits");
        Assert.That(dropped.Train().Loss, Is.Not.EqualTo(kept.Train().Loss));
    }

    [Test]
    public void TheFirstAdapterThatMeansALayerIsPutAroundIt()
    {
        ModelConfig config = ModelVariants.Base with
        {
            Adapters =
            [
                new LoraConfig { Targets = ["layers.1.self_attn.q_proj", "mlp.*_proj"], Exclude = ["model.layers.0.mlp.up_proj"], Rank = 2 },
                new LoraConfig { Targets = ["q_proj"], Rank = 3 },
            ],
        };
        using var model = new TinyModel(config, Backend());
        string[] found = [.. model.Store.Parameters.Where(p => p.Name.EndsWith("lora_A.weight", StringComparison.Ordinal)).Select(p => $"{p.Name[13..^14]} {p.Layout[0]}")];
        Assert.That(found, Is.EquivalentTo(new[]
        {
            "0.self_attn.q_proj 3", "0.mlp.gate_proj 2", "0.mlp.down_proj 2",
            "1.self_attn.q_proj 2", "1.mlp.gate_proj 2", "1.mlp.up_proj 2", "1.mlp.down_proj 2",
        }));
        Assert.That(model.Model.Adapters!.Names.Globs, Has.Count.EqualTo(2 * found.Length));
    }

    /// <summary>State that an adapter declares is missing where a model begins with one without adapters, as its parameters are; nothing trains it.</summary>
    [Test]
    public void StateOfAnAdapterIsItsOwn()
    {
        using var model = new TinyModel(ModelVariants.Base with { Adapters = [new CountingConfig()] }, Backend());
        AdapterSet adapters = model.Model.Adapters!;
        string[] own = [.. model.Store.Tensors.Select(tensor => tensor.Name).Where(adapters.Has)];
        string[] layers = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"];
        Assert.That(own, Is.EquivalentTo(layers.SelectMany(layer => new[] { $"{layer}.factor", $"{layer}.count" })));
        Assert.That(adapters.Names.Globs, Is.EquivalentTo(layers.Select(layer => $"{layer}.factor")));
    }

    [TestCase("""{"kind":"lora","targets":["q_porj"]}""", "model.adapters.0.targets.0: \"q_porj\" is no linear layer of the model; did you mean q_proj?")]
    [TestCase("""{"kind":"lora","targets":["norm"]}""", "model.adapters.0.targets.0: \"norm\" is no linear layer of the model; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head")]
    [TestCase("""{"kind":"lora","exclude":["layers.7.*"]}""", "model.adapters.0.exclude.0: \"layers.7.*\" is no linear layer of the model; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head")]
    [TestCase("""{"kind":"lora"},"lora" """, "model.adapters.1: is put around no layer: what it names is excluded or has an adapter that stands before it")]
    public void WhatMeetsNoLayerIsAProblem(string adapters, string problem)
    {
        ModelConfig model = new ConfigTree<RunConfig>().Set($"model.adapters=[{adapters}]").Build().Model with { Vocab = 7 };
        Assert.That(Assert.Throws<ConfigException>(() => CostModel.Of(model))!.Message, Is.EqualTo(problem));
    }

    [TestCase("""[{"kind":"lora","targets":[]}]""", "model.adapters.0.targets: is empty; name linear layers, such as q_proj, or use \"all-linear\"")]
    [TestCase("""[{"kind":"lora","rank":0}]""", "model.adapters.0.rank: expected an integer of at least 1 and at most 65536, got 0")]
    [TestCase("""[{"kind":"lora","dora":true,"bias":true}]""", "model.adapters.0.bias: has no place beside dora, which scales rows; leave one of them out")]
    [TestCase("""["lroa"]""", "model.adapters.0: unknown kind \"lroa\", did you mean \"lora\"?; known: lora")]
    public void WrongSettingsAreNamed(string adapters, string problem)
        => Assert.That(Assert.Throws<ConfigException>(() => new ConfigTree<RunConfig>().Set($"model.adapters={adapters}").Build())!.Message, Is.EqualTo(problem));

    /// <summary>Declares a parameter and state.</summary>
    private sealed record CountingConfig : AdapterConfig
    {
        public CountingConfig() => Targets = ["q_proj"];

        public override Linear Wrap(ModuleBuilder builder, Linear layer)
        {
            _ = builder.Add("factor", Layout.Of(1), ParameterRole.Vector, Initializer.One);
            _ = builder.AddState("count", Layout.Of(1));
            return layer;
        }
    }

    private static TestCaseData Case(string name, ModelConfig model) => new TestCaseData(model).SetArgDisplayNames(name);

    // values[g] += scale · B[g] A[g], for each of the groups that the matrix has.
    private static void Add(double[] values, double[] down, double[] up, Layout layout, int rank, double scale)
    {
        int rows = layout[-2], columns = layout[-1];
        for (int i = 0; i < values.Length; i++)
        {
            int group = i / (rows * columns), row = i / columns % rows, column = i % columns;
            values[i] += scale * Enumerable.Range(0, rank).Sum(r => up[((group * rows) + row) * rank + r] * down[((group * rank) + r) * columns + column]);
        }
    }
}
