using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Data;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;

namespace NanoFold.Tests.Suites;

/// <summary>What holds for every mixer, every feed-forward and every setting of a model.</summary>
[Parallelizable]
public class ModelSuite : EngineTests
{
    private static IEnumerable<TestCaseData> Variants => ModelVariants.All.Select(v => new TestCaseData(v.Model).SetArgDisplayNames(v.Name));

    [Test]
    public void NamesAreUnique() => Assert.That(ModelVariants.All.Select(v => v.Name), Is.Unique);

    [TestCaseSource(nameof(Variants))]
    public void ItsSettingsAreValidAndSurviveJson(ModelConfig config)
    {
        Assert.That(config.Validate("model"), Is.Empty);
        bool isText = config.Visibility == VisibilityKind.Causal;
        RunConfig run = new RunConfig
        {
            Model = isText ? config : config with { Vocab = 0 },
            Tokenizer = new FileTokenizerConfig { Path = "t" },
            Task = isText ? new TextConfig() : new RegressionConfig(),
        }.Resolve();
        RunConfig read = new ConfigTree().AddJson(run.ToJson(), "json").Build();
        Assert.That(read.ToJson(), Is.EqualTo(run.ToJson()));
        Assert.That(read.Model.LayerConfigs(), Is.EqualTo(run.Model.LayerConfigs()));
        // Lists are compared as text above.
        Assert.That(WithoutLists(read.Model), Is.EqualTo(WithoutLists(run.Model)));
    }

    [TestCaseSource(nameof(Variants))]
    public void ItsCostCountsTheParametersThatItDeclares(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        Assert.That(model.Store.Count, Is.EqualTo(CostModel.Of(config).Parameters));
        Assert.That(model.Store.Parameters.Where(p => !p.Frozen).Sum(p => p.Layout.Count), Is.EqualTo(model.Store.Count));
    }

    [TestCaseSource(nameof(Variants))]
    public void ItsLogitsAreThoseOfAPlainImplementation(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend(), DType.Float64);
        double[] expected = [.. model.Tokens.Chunk(model.Time).SelectMany((tokens, row) =>
            new NaiveModel(model.Model.Config, name => Host.Find(model.Store, name), model.Prefixes?[row] ?? 0).Logits(tokens))];
        Numbers.AssertClose(model.Logits(model.Tokens), expected, 1e-11, "float64");
        foreach (CpuPath path in CpuPath.All)
        {
            using var single = new TinyModel(config, Backend(path.Isa, path.Threads, path.ComposedOnly));
            Numbers.AssertClose(single.Logits(single.Tokens), expected, 1e-5, path.ToString());
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ATokenChangesWhatSeesIt(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        double[] logits = model.Logits(model.Tokens);
        int time = model.Time, vocab = config.Vocab;
        MixerTraits[] traits = [.. model.Model.Config.LayerConfigs().Select(l => l.Mixer.Traits(model.Model.Config))];
        foreach (int t in new[] { 1, 6, time - 1 })
        {
            int[] tokens = [.. model.Tokens];
            tokens[t] = (tokens[t] + 5) % vocab;
            double[] changed = model.Logits(tokens);
            if (config.Visibility == VisibilityKind.Full || t < model.Prefixes?[0])
            {
                Assert.That(changed[..(t * vocab)], Is.Not.EqualTo(logits[..(t * vocab)]), $"before token {t}");
            }
            else
            {
                AssertUnchanged(config, changed[..(t * vocab)], logits[..(t * vocab)], $"before token {t}");
            }

            AssertUnchanged(config, changed[(time * vocab)..], logits[(time * vocab)..], $"the other sequence, token {t}");
            Assert.That(changed[(t * vocab)..((t + 1) * vocab)], Is.Not.EqualTo(logits[(t * vocab)..((t + 1) * vocab)]), $"at token {t}");
            if (t + 1 < time && traits.Any(layer => layer.Mixes))
            {
                Assert.That(changed[((t + 1) * vocab)..(time * vocab)], Is.Not.EqualTo(logits[((t + 1) * vocab)..(time * vocab)]), $"after token {t}");
            }
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ItsGradientsMatchFiniteDifferences(ModelConfig config)
    {
        Assume.That(config.LayerConfigs().Any(layer => MixerReference.Of(layer.Mixer).HasConstants(layer.Mixer)), Is.False, "differences see what gradients take for constant");
        using var model = new TinyModel(config, Backend(), DType.Float64);
        using var check = new GradCheck(model.Store, model.RecordLoss);
        foreach (GradientDifference difference in check.Run(elements: 1))
        {
            Assert.That(difference.Relative, Is.LessThan(1e-6 * MixerReference.SensitivityOf(config)), difference.ToString());
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ItsGradientsInFloat32MatchThoseInFloat64(ModelConfig config)
    {
        using var exact = new TinyModel(config, Backend(), DType.Float64);
        (double loss, double[] gradients) = exact.Train();
        foreach (CpuPath path in CpuPath.All)
        {
            using var model = new TinyModel(config, Backend(path.Isa, path.Threads, path.ComposedOnly));
            (double loss32, double[] gradients32) = model.Train();
            Assert.That(loss32, Is.EqualTo(loss).Within(2e-6 * loss), path.ToString());
            Numbers.AssertClose(gradients32, gradients, 2e-5 * MixerReference.SensitivityOf(config), path.ToString());
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ThreadsRecomputationAndMemoryOfItsOwnGiveTheSameBits(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        (double loss, double[] gradients) = model.Train();
        Assert.That(gradients, Has.Some.Not.Zero);
        foreach (bool recompute in new[] { false, true })
        {
            foreach (int threads in new[] { 1, 3 })
            {
                using var other = new TinyModel(config, Backend(threads: threads));
                (double otherLoss, double[] otherGradients) = other.Train(recompute: recompute);
                Assert.That(otherLoss, Is.EqualTo(loss));
                Numbers.AssertSameBits(otherGradients, gradients, $"{threads} threads, {(recompute ? "recomputed" : "kept")}");
            }

            using var separate = new SeparateMemory(model.TrainingTape(), recompute);
            model.Store.Backend.Fill(model.Store.AllGradients, 0);
            separate.Run();
            Numbers.AssertSameBits(model.Gradients(), gradients, $"memory of its own, {(recompute ? "recomputed" : "kept")}");
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void RecomputationNeedsLessMemory(ModelConfig config)
    {
        using var model = new TinyModel(config with { Layers = 2 * config.Layers }, Backend());
        long kept = new Plan(model.TrainingTape()).ArenaBytes, recomputed = new Plan(model.TrainingTape(), recompute: true).ArenaBytes;
        Assert.That(recomputed, Is.LessThan(0.8 * kept));
    }

    [TestCaseSource(nameof(Variants))]
    public void DecodingWithACacheGivesTheLogitsOfTheWhole(ModelConfig config)
    {
        if (config.WhyNotDecoded is { } reason)
        {
            using var refused = new TinyModel(config, Backend());
            Assert.That(() => new Decoding(refused, 1), Throws.TypeOf<UserException>().With.Message.EqualTo(reason));
            return;
        }

        foreach ((DType type, double tolerance) in new[] { (DType.Float64, 1e-12), (DType.Float32, 1e-5 * MixerReference.SensitivityOf(config)) })
        {
            using var model = new TinyModel(config, Backend(), type, batch: 3);
            double[] whole = model.Logits(model.Tokens);
            foreach (int chunk in new[] { 1, 3, 5 })
            {
                using var even = new Decoding(model, chunk);
                Numbers.AssertClose(even.Run((_, _) => chunk), whole, tolerance, $"{type}, {chunk} at a time");
                // Once more: a cache that was used before holds other values.
                Numbers.AssertClose(even.Run((b, call) => (b + call) % (chunk + 1)), whole, tolerance, $"{type}, up to {chunk} at a time");
            }
        }
    }

    [TestCaseSource(nameof(Variants))]
    public void ItsCacheTakesWhatItsCostSays(ModelConfig config)
    {
        using var model = new TinyModel(config, Backend());
        using DecodeCache? cache = config.WhyNotDecoded is null ? model.Model.NewCache(batch: 3, chunk: 1) : null;
        Assert.That(cache?.Bytes ?? 0, Is.EqualTo(3 * CostModel.Of(config).CacheBytesPerSequence));
    }

    [TestCaseSource(nameof(Variants))]
    public void ARunAllocatesNothing(ModelConfig config)
    {
        using var model = new TinyModel(config with { Dropout = 0.1 }, Backend());
        var plan = new Plan(model.TrainingTape(), recompute: true);
        _ = model.Train(plan);
        using DeviceBuffer arena = model.Store.Backend.Allocate(plan.ArenaBytes);
        plan.Bind(arena);
        plan.Run();
        Assert.That(LeastAllocated(plan.Run), Is.Zero);
    }

    private static ModelConfig WithoutLists(ModelConfig model) => model with { Pattern = null, Adapters = [], Edits = [] };

    // Which token an expert is given changes with the others, and with their number the order in which its products are summed.
    private static void AssertUnchanged(ModelConfig config, double[] changed, double[] logits, string what)
    {
        if (config.LayerConfigs().Any(l => FeedForwardReference.Of(l.FeedForward).Chooses))
        {
            Numbers.AssertClose(changed, logits, 1e-6, what);
        }
        else
        {
            Numbers.AssertSameBits(changed, logits, what);
        }
    }
}
