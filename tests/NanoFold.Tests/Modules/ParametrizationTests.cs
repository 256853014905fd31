using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Null;
using NanoFold.Tests.Suites;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Modules;

/// <summary>The maximal update parametrization beside the tables of arXiv 2203.03466.</summary>
public class ParametrizationTests
{
    private const int Times = 4;

    private static readonly MupConfig s_mup = new() { BaseWidth = 16, BaseHeadDim = 4 };

    private static ModelConfig Small => ModelVariants.Base with { Hidden = 0, Parametrization = s_mup };

    /// <summary>
    /// What grows is read off the shapes of a model and one four times as wide, whose heads are more and not wider: Adam's rate falls with the inputs of a matrix,
    /// as in table 8 (hidden) and table 3 (what gives a fixed number of coefficients), and nowhere else.
    /// </summary>
    [TestCaseSource(nameof(Kinds))]
    public void RatesFollowTheTableForAdam(ModelConfig small)
    {
        foreach ((Parameter narrow, Parameter wide) in Pairs(small))
        {
            // A query that is a parameter reads what grows and gives one score.
            bool isVector = wide.Layout.Rank == 1 && !wide.Name.EndsWith(".query", StringComparison.Ordinal), isLookedUp = wide.Role == ParameterRole.Embedding, isHead = wide.Name.StartsWith("lm_head", StringComparison.Ordinal);
            double expected = !isVector && !isLookedUp && !isHead && wide.Layout[-1] > narrow.Layout[-1] ? 1.0 / Times : 1;
            Assert.That(new AdamWConfig().RateFactor(wide), Is.EqualTo(expected), wide.ToString());
            Assert.That(new AdamWConfig().RateFactor(narrow), Is.EqualTo(1), narrow.ToString());
        }
    }

    /// <summary>The same for updates as large as the gradient, and for orthogonal ones: what is of one size in both models has a factor of 1, whatever it is.</summary>
    [TestCaseSource(nameof(Kinds))]
    public void RatesFollowTheTableForSgdAndMuon(ModelConfig small)
    {
        foreach ((Parameter narrow, Parameter wide) in Pairs(small))
        {
            // Of a stack of matrices each counts by itself. What makes coefficients is counted as a router, though there be one for each head.
            bool isOfOneSize = wide.Layout[-1] == narrow.Layout[-1] && (wide.Layout.Rank == 1 || wide.Layout[-2] == narrow.Layout[-2]), isQuery = wide.Name.EndsWith(".query", StringComparison.Ordinal), isHead = wide.Name.StartsWith("lm_head", StringComparison.Ordinal);
            bool readsMore = isQuery || (wide.Layout.Rank > 1 && wide.Role != ParameterRole.Embedding && wide.Layout[-1] > narrow.Layout[-1]);
            bool givesMore = !isQuery && (wide.Layout.Rank == 1 ? wide.Layout[0] > narrow.Layout[0] : wide.Role == ParameterRole.Embedding || wide.Layout[-2] > narrow.Layout[-2]);
            double sgd = isOfOneSize ? 1 : isHead ? Times : readsMore ? givesMore && wide.Role == ParameterRole.Matrix ? 1 : 1.0 / Times : Times;
            double muon = wide.Role != ParameterRole.Matrix ? new AdamWConfig().RateFactor(wide) : readsMore && !givesMore ? 1 / Math.Sqrt(Times) : 1;
            Assert.That((new SgdConfig().RateFactor(wide), new MuonConfig().RateFactor(wide)), Is.EqualTo((sgd, muon)), wide.ToString());
            // The longer side is that of the columns, or as long: what is the root of it larger is made smaller by that where columns grow.
            double matched = wide.Role == ParameterRole.Matrix && readsMore ? muon / Math.Sqrt(Times) : muon;
            Assert.That(new MuonConfig { Adjust = MuonAdjustment.MatchRms }.RateFactor(wide), Is.EqualTo(matched).Within(1e-15), wide.ToString());
        }
    }

    /// <summary>Each matrix is stepped once, whatever the factors beside it are: a singular value of an update is near the rate.</summary>
    [Test]
    public void MuonStepsEachMatrixOnceByItsFactor()
    {
        using var rig = new TrainRig();
        rig.Train("run", [
            "train.optimizer=muon", "train.optimizer.matrixLearningRate=0.01", "train.steps=1", "train.warmup=0", "train.schedule=constant", "model.layers=1", "train.checkpointAtStart=true", "model.mixer=gated-linear-attention",
            "model.mixer.gateRank=4", "model.initialization=scaled", "model.parametrization=mup", "model.parametrization.baseWidth=4",
        ]);
        using TrainedModel before = Loaded(rig, 0), after = Loaded(rig, 1);
        // ‖U Vᵀ‖ = √(the shorter side) to about a fifth, which is as near as Newton and Schulz come.
        Assert.That(Moved("model.layers.0.self_attn.gk_proj.0.weight", side: 4), Is.EqualTo(0.01 / 2).Within(20).Percent);
        Assert.That(Moved("model.layers.0.self_attn.o_proj.weight", side: 16), Is.EqualTo(0.01).Within(20).Percent);

        double Moved(string name, int side) => Math.Sqrt(Host.Find(before.Model.Store, name)!.Zip(Host.Find(after.Model.Store, name)!, (a, b) => ((double)a - b) * ((double)a - b)).Sum() / side);
    }

    [TestCase("model.embed_tokens.weight", 1, Times, 1, 1)]
    [TestCase("model.norm.weight", 1, Times, 1, 0)]
    [TestCase("model.layers.0.self_attn.q_proj.bias", 1, Times, 1, 0)]
    [TestCase("model.layers.0.self_attn.q_proj.weight", 1.0 / Times, 1, 1, 0.5)]
    [TestCase("model.layers.0.mlp.experts.up_proj.weight", 1.0 / Times, 1, 1, 0.5)]
    [TestCase("model.layers.0.mlp.gate.weight", 1.0 / Times, 1.0 / Times, 1.0 / Times, 0.25)]
    [TestCase("model.layers.0.attn_residual.query", 1.0 / Times, 1.0 / Times, 1.0 / Times, 0)]
    [TestCase("lm_head.weight", 1, Times, 1, 1)]
    public void ATableOfFactors(string name, double adam, double sgd, double muon, double deviation)
    {
        ModelConfig model = Small with { FeedForward = MoeConfig.Tiny with { Hidden = 0 }, Residual = new AttentionResidualsConfig(), Bias = true };
        (Parameter narrow, Parameter wide) = Pairs(model).Single(pair => pair.Wide.Name == name);
        Assert.That((new AdamWConfig().RateFactor(wide), new LionConfig().RateFactor(wide)), Is.EqualTo((adam, adam)));
        Assert.That(new SgdConfig().RateFactor(wide), Is.EqualTo(sgd));
        Assert.That(new MuonConfig().RateFactor(wide), Is.EqualTo(muon));
        // σ beside that of the base: the fan-in of what is hidden is four times as large.
        Assert.That(narrow.Initializer.Kind == InitializerKind.Normal ? wide.Initializer.Value / narrow.Initializer.Value : 0, Is.EqualTo(deviation).Within(1e-12));
    }

    [Test]
    public void ScoresAreDividedByTheWidthOfAHead()
    {
        Assert.That((s_mup.ScoreScale(4), s_mup.ScoreScale(16)), Is.EqualTo((0.5, 0.125)));
        Assert.That((new StandardConfig().ScoreScale(4), new StandardConfig().ScoreScale(16)), Is.EqualTo((0.5, 0.25)));
    }

    [Test]
    public void LogitsAreDividedByTheRatio()
    {
        ModelConfig standard = ModelVariants.Base with { Tied = true };
        using var backend = new CpuBackend(1);
        using var plain = new TinyModel(standard, backend);
        using var scaled = new TinyModel(standard with { Parametrization = new MupConfig { BaseWidth = 8, BaseHeadDim = 4 } }, backend);
        Assert.That(scaled.Logits(scaled.Tokens), Is.EqualTo(plain.Logits(plain.Tokens).Select(logit => logit / 2)).Within(1e-6));
    }

    [TestCase("adamw")]
    [TestCase("muon")]
    [TestCase("sgd")]
    public void AtTheBaseWidthItIsTheStandardOne(string optimizer)
    {
        using var rig = new TrainRig();
        string[] settings = [$"train.optimizer={optimizer}", "train.steps=3", "model.layers=1"];
        rig.Train("standard", settings);
        rig.Train("mup", [.. settings, "model.parametrization=mup", "model.parametrization.baseWidth=16", "model.parametrization.baseHeadDim=8"]);
        rig.AssertSame("mup", "standard", 3);
    }

    [Test]
    public void ARunMovesHiddenMatricesByLessAndSavesHow()
    {
        using var rig = new TrainRig();
        string[] settings = ["train.optimizer=adamw", "train.steps=1", "train.warmup=0", "train.schedule=constant", "train.learningRate=0.001", "train.weightDecay=0", "model.layers=1", "train.checkpointAtStart=true", "model.parametrization=mup", "model.parametrization.baseWidth=4"];
        rig.Train("run", settings);
        RunConfig saved = RunConfig.Load(rig["run"]);
        Assert.That(saved.Model.Parametrization, Is.EqualTo(new MupConfig { BaseWidth = 4 }));
        using TrainedModel before = Loaded(rig, 0), after = Loaded(rig, 1);
        // Adam's first step is the rate for every element that has a gradient.
        Assert.That(Largest("model.layers.0.mlp.up_proj.weight"), Is.EqualTo(0.00025).Within(1e-6));
        Assert.That(Largest("model.embed_tokens.weight"), Is.EqualTo(0.001).Within(1e-6));
        Assert.That(Largest("lm_head.weight"), Is.EqualTo(0.001).Within(1e-6));

        double Largest(string name) => Host.Find(before.Model.Store, name)!.Zip(Host.Find(after.Model.Store, name)!, (a, b) => Math.Abs(a - b)).Max();
    }

    [Test]
    public void ABaseThatIsNoneIsRefused() =>
        Assert.That(
            () => new ConfigTree().Set("model.parametrization=mup").Set("model.parametrization.baseWidth=0").Build(),
            Throws.TypeOf<ConfigException>().With.Message.Contains("model.parametrization.baseWidth"));

    private static IEnumerable<TestCaseData> Kinds() =>
    [
        // With its own defaults a kind grows as it does by itself. The latent of latent attention grows for small widths only; of it everything is hidden.
        .. Variant.Of<MixerConfig>().Where(kind => kind.Type != typeof(LatentAttentionConfig)).Select(kind =>
            new TestCaseData(Small with { Mixer = (MixerConfig)Activator.CreateInstance(kind.Type)! }).SetArgDisplayNames(kind.Kind)),
        .. Variant.Of<FeedForwardConfig>().Select(kind =>
            new TestCaseData(Small with { FeedForward = (FeedForwardConfig)Activator.CreateInstance(kind.Type)! }).SetArgDisplayNames(kind.Kind)),
        .. Variant.Of<ResidualConfig>().Select(kind => new TestCaseData(Small with { Residual = (ResidualConfig)Activator.CreateInstance(kind.Type)! }).SetArgDisplayNames(kind.Kind)),
    ];

    private static List<(Parameter Narrow, Parameter Wide)> Pairs(ModelConfig small)
    {
        using var backend = new NullBackend();
        using var narrow = new Transformer(small with { Layers = 1 }, backend);
        using var wide = new Transformer(small with { Layers = 1, Width = small.Width * Times, Heads = small.Heads * Times }, backend);
        Assert.That(wide.Store.Parameters.Select(p => p.Name), Is.EqualTo(narrow.Store.Parameters.Select(p => p.Name)));
        return [.. narrow.Store.Parameters.Zip(wide.Store.Parameters)];
    }

    private static TrainedModel Loaded(TrainRig rig, long step) => TrainedModel.Load(rig.Checkpoint("run", step), new CpuBackend(1));
}
