using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Generation;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Taps;

/// <summary>Taps where a library's user puts them: on a trainer, an evaluator, a generator.</summary>
[NonParallelizable]
public class TapUseTests
{
    private static readonly ModelConfig s_model = new() { Layers = 2, Width = 16, Heads = 2, Context = 8, Vocab = 256, Hidden = 24 };

    [TestCase("blocks.0.hook_resid_pst", "blocks.0.hook_resid_post")]
    [TestCase("blocks.*.hook_mlp_oit", "blocks.*.hook_mlp_out")]
    [TestCase("blocks.2.hook_resid_post", "blocks.0.hook_resid_post")]
    [TestCase("Hook_Embed", "hook_embed")]
    public void ANameThatMatchesNothingIsAnErrorThatSuggests(string pattern, string meant)
    {
        using var backend = new CpuBackend(1);
        using var model = new Transformer(s_model, backend);
        using var trainer = new Trainer(model, new TrainConfig { Batch = 2 }, new RandomTokens(256, 1));
        trainer.Taps = new TapSet([new Collector("hook_logits"), new Collector(pattern)]);
        Assert.That(() => trainer.Step(0), Throws.TypeOf<UserException>().With.Message.EqualTo($"tap '{pattern}' matches no point of what was recorded; did you mean '{meant}'?"));
        trainer.Taps = new TapSet([], [new Ablate(pattern)]);
        Assert.That(() => trainer.Step(0), Throws.TypeOf<UserException>().With.Message.EndsWith($"did you mean '{meant}'?"));
        trainer.Taps = new TapSet([new Collector("nothing like it")]);
        Assert.That(() => trainer.Step(0), Throws.TypeOf<UserException>().With.Message.EndsWith("there are blocks.0.attn.hook_attn_scores, blocks.0.attn.hook_k, blocks.0.attn.hook_pattern and others"));
    }

    [Test]
    public void TheLossUnderAnEditIsThatOfAModelWithoutThePart()
    {
        using var rig = new TrainRig();
        using var backend = new CpuBackend(1);
        using TrainSession session = TrainSession.Open(rig.Config(), backend);
        for (int step = 0; step < 12; step++)
        {
            _ = session.Trainer.Step(step);
        }

        Evaluator evaluator = session.Evaluator!;
        var reader = new Collector("blocks.1.hook_resid_post");
        Evaluation plain = evaluator.Run(), read = evaluator.Run(new TapSet([reader])), ablated = evaluator.Run([new Ablate("blocks.1.hook_mlp_out")]);
        Assert.That(read, Is.EqualTo(plain));
        Assert.That(reader.Read, Is.Not.Empty);
        Assert.That(Math.Abs(ablated.Loss - plain.Loss), Is.GreaterThan(1e-3));
        Assert.That(evaluator.Run(), Is.EqualTo(plain), "an edit is gone after its run");

        Parameter down = session.Model.Store["model.layers.1.mlp.down_proj.weight"];
        backend.Fill(session.Model.Store.Values(down), 0);
        Assert.That(evaluator.Run().Loss, Is.EqualTo(ablated.Loss).Within(1e-6));
        Assert.That(() => evaluator.Run([new Ablate("blocks.1.hook_mlp_ot")]), Throws.TypeOf<UserException>().With.Message.Contains("'blocks.1.hook_mlp_out'"));
    }

    [Test]
    public void AnEditShowsInTheTextThatIsWritten()
    {
        using var backend = new CpuBackend(1);
        using var model = TinyModels.Random(backend, s_model);
        var tokenizer = new ByteTokenizer();
        using var generator = new Generator(model, tokenizer);
        var options = new GenerationConfig { MaxTokens = 12, Temperature = 0 };
        string before = generator.Generate(["ab"], options).Samples[0].Text;

        var owned = new List<IDisposable>();
        double[] towardsX = new double[256];
        towardsX['x'] = 1e4;
        var reader = new Collector("blocks.0.hook_resid_post");
        generator.Taps = new TapSet([reader], [new Steer("hook_logits", Host.New(backend, DType.Float32, [1, 1, 256], towardsX, owned))]);
        Assert.That(generator.Generate(["ab"], options).Samples[0].Text, Is.EqualTo("xxxxxxxxxxxx"));
        Assert.That(reader.Read.Count, Is.EqualTo(2 + 11), "two tokens of the prompt, and all that were written but the last");
        generator.Taps = null;
        Assert.That(generator.Generate(["ab"], options).Samples[0].Text, Is.EqualTo(before));
        generator.Taps = new TapSet([], [new Ablate("hook_embd")]);
        Assert.That(() => generator.Generate(["ab"], options), Throws.TypeOf<UserException>().With.Message.Contains("'hook_embed'"));
        owned.ForEach(o => o.Dispose());
    }

    [TestCase("adamw", 1e-3)]
    [TestCase("muon", 3e-3)]
    public void ATrainerFillsInWhatItsSettingsLeaveOpen(string optimizer, double rate)
    {
        using var backend = new CpuBackend(1);
        using var model = new Transformer(s_model, backend);
        using var trainer = new Trainer(model, new TrainConfig { Batch = 2, Optimizer = Optimizers.Of(optimizer), Warmup = 0, Schedule = ScheduleKind.Constant }, new RandomTokens(256, 1));
        StepResult first = trainer.Step(0), later = default;
        for (int step = 1; step < 10; step++)
        {
            later = trainer.Step(0);
        }

        Assert.That(first.LearningRate, Is.EqualTo(rate));
        Assert.That(first.Loss, Is.EqualTo(Math.Log(256)).Within(0.2));
        Assert.That(later.Loss, Is.LessThan(first.Loss - 0.01));
    }
}
