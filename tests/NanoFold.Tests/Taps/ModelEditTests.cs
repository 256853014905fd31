using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Configuration;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Suites.Halves;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Taps;

/// <summary>Edits that belong to a model (<c>model.edits</c>).</summary>
[NonParallelizable]
public class ModelEditTests
{
    private const string Ablated = """model.edits=[{"kind":"ablate","points":"blocks.1.hook_mlp_out"}]""";

    private static readonly ModelConfig s_model = new() { Layers = 2, Width = 16, Heads = 2, Context = 8, Vocab = 32, Hidden = 24 };

    /// <summary>A model's own edits are the same as those of a tape, in the same order; the tape's come after them.</summary>
    [Test]
    public void AModelsOwnEditsAreThoseOfATape()
    {
        double[] direction = Numbers.Uniform("direction", 16, -1, 1);
        EditConfig[] edits =
        [
            new SteerConfig { Points = "blocks.*.hook_resid_post", Direction = direction, Strength = 2 },
            new PatchConfig { Points = "blocks.0.hook_attn_out", Value = [0.25] },
            new AblateConfig { Points = "blocks.1.mlp.hook_post" },
        ];
        using var backend = new CpuBackend(1);
        using var edited = new TinyModel(s_model with { Edits = edits }, backend);
        using var plain = new TinyModel(s_model, backend);
        var owned = new List<IDisposable>();
        View twice = Host.New(backend, DType.Float32, [1, 1, 16], [.. direction.Select(d => 2 * d)], owned), quarter = Host.New(backend, DType.Float32, [1, 1, 1], [0.25], owned);
        ITapEditor[] editors = [new Steer("blocks.*.hook_resid_post", twice), new Patch("blocks.0.hook_attn_out", quarter), new Ablate("blocks.1.mlp.hook_post")];
        (double loss, double[] gradients) = plain.Train(new TapSet([], editors));
        (double own, double[] ownGradients) = edited.Train();
        Assert.That(own, Is.EqualTo(loss));
        Numbers.AssertSameBits(ownGradients, gradients, "gradients");
        Assert.That(plain.Train().Loss, Is.Not.EqualTo(loss));

        var reader = new Collector("blocks.0.hook_attn_out");
        _ = edited.Logits(edited.Tokens, taps: new TapSet([reader], [new Steer("blocks.0.hook_attn_out", quarter)]));
        Assert.That(reader.Read.Single().Values, Is.All.EqualTo(0.5), "the model's edit, then the tape's");
        owned.ForEach(o => o.Dispose());
    }

    [Test]
    public void TwoModelsOnATapePassTheirOwnEditsOnly()
    {
        using var backend = new CpuBackend(1);
        using var plain = new Transformer(s_model, backend);
        using var edited = new Transformer(s_model with { Edits = [new PatchConfig { Points = "hook_logits", Value = [3] }] }, backend);
        using DeviceBuffer buffer = backend.Allocate(8 * sizeof(int));
        var tape = new Tape(backend);
        Tensor tokens = tape.External("tokens", new View(buffer, 0, Layout.Of(1, 8), DType.Int32));
        backend.Upload<int>([1, 2, 3, 4, 5, 6, 7, 8], new View(buffer, 0, Layout.Of(1, 8), DType.Int32));
        Tensor first = edited.RecordBody(tape, tokens), other = plain.RecordLogits(tape, tokens), patched = edited.Language.Logits(tape, first);
        tape.Keep(other);
        tape.Keep(patched);
        var plan = new Plan(tape);
        using DeviceBuffer arena = backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        float[] found = new float[8 * 32], untouched = new float[8 * 32];
        backend.Download<float>(plan[patched], found);
        backend.Download<float>(plan[other], untouched);
        Assert.That(found, Is.All.EqualTo(3));
        Assert.That(untouched, Has.None.EqualTo(3));
    }

    /// <summary>Trained, evaluated, saved, loaded and written with.</summary>
    [Test]
    public void AnEditHoldsWhereverTheModelRuns()
    {
        using var rig = new TrainRig();
        using var backend = new CpuBackend(1);
        TrainSummary summary = rig.Train("run", Ablated);
        using TrainedModel trained = TrainedModel.Load(rig["run"], backend);
        Assert.That(trained.Config.Model.Edits, Is.EqualTo(new EditConfig[] { new AblateConfig { Points = "blocks.1.hook_mlp_out" } }));
        using Corpus corpus = Corpus.Open(rig.TextPath);
        Assert.That(trained.Evaluate(corpus, TextPart.Validation).Loss, Is.EqualTo(summary.FullValidation!.Value.Loss).Within(1e-9));
        var reader = new Collector("blocks.1.hook_mlp_out");
        using var generator = new Generator(trained.Model, trained.Tokenizer) { Taps = new TapSet([reader]) };
        _ = generator.Generate(["no."], new GenerationConfig { MaxTokens = 3 });
        Assert.That(reader.Read.SelectMany(r => r.Values), Is.Not.Empty.And.All.Zero);
    }

    /// <summary>Numbers of an edit are in single precision, what they meet need not be.</summary>
    [Test]
    public void AnEditMeetsActivationsOf16Bits()
    {
        double[] direction = Numbers.Uniform("direction", 16, -1, 1);
        ModelConfig config = s_model with
        {
            Edits =
            [
                new SteerConfig { Points = "blocks.0.hook_resid_post", Direction = direction },
                new ProjectConfig { Points = "blocks.1.hook_mlp_out", Directions = [direction], At = new TapPlaces { From = 2 } },
                new PatchConfig { Points = "blocks.0.attn.hook_z", From = new PatchSource { Position = 1 }, At = new TapPlaces { Heads = [1], Positions = [4, 5] } },
                new AblateConfig { Points = "blocks.0.hook_attn_out", Mode = AblationKind.Mean, At = new TapPlaces { Tokens = [1, 2, 3, 4, 5, 6, 7, 8] } },
                new AblateConfig { Points = "blocks.1.attn.hook_q", Mode = AblationKind.Resample, At = new TapPlaces { Units = [0, 3] } },
            ],
        };
        double Loss(Backend backend, PrecisionKind precision)
        {
            using var model = new Transformer(config, backend);
            using var trainer = new Trainer(model, new TrainConfig { Batch = 2, Precision = precision }, new RandomTokens(32, 1));
            Collector scale = new("ln_final.hook_scale"), gradient = new("blocks.0.hook_resid_mid.grad");
            trainer.Taps = new TapSet([scale, gradient]);
            double loss = trainer.Step(0).Loss;
            Assert.That(scale.Read.Single().Values.Concat(gradient.Read.Single().Values), Is.All.Matches<double>(double.IsFinite));
            return loss;
        }

        using var single = new CpuBackend(1);
        using var half = new HalfBackend();
        Assert.That(Loss(half, PrecisionKind.BFloat16), Is.EqualTo(Loss(single, PrecisionKind.Float32)).Within(0.02));
    }

    [Test]
    public void WhatAnEditNamesMustBeThere()
    {
        using var backend = new CpuBackend(1);
        Transformer Build(EditConfig edit) => new(s_model with { Edits = [edit] }, backend);
        Assert.That(() => Build(new AblateConfig { Points = "blocks.1.hook_mlp_oot" }),
            Throws.TypeOf<UserException>().With.Message.EqualTo("model.edits.0.points: 'blocks.1.hook_mlp_oot' matches no point of the model; did you mean 'blocks.1.hook_mlp_out'?"));
        using Transformer narrow = Build(new SteerConfig { Points = "blocks.1.hook_mlp_out", Direction = [1, 2, 3] });
        using var trainer = new Trainer(narrow, new TrainConfig { Batch = 2 }, new RandomTokens(32, 1));
        Assert.That(() => trainer.Step(0),
            Throws.TypeOf<UserException>().With.Message.EqualTo("tap blocks.1.hook_mlp_out: 3 numbers are given, but it has 16 elements in its last dimension"));
    }

    [TestCase("""model.edits=[{"kind":"ablate"}]""", "model.edits.0.points: is missing; name the points to edit, such as blocks.0.hook_mlp_out")]
    [TestCase("""model.edits=[{"kind":"steer","points":"hook_embed"}]""", "model.edits.0.direction: is missing; give a number for each element of the point's last dimension, or one for all")]
    [TestCase("model.edits=[\"ablat\"]", "model.edits.0: unknown kind \"ablat\", did you mean \"ablate\"?; known: ablate, steer, patch, project")]
    public void WhatIsWrongWithAnEditIsSaid(string setting, string problem) => Assert.That(Configs.Problems(setting), Is.EqualTo(new[] { problem }));
}
