using FsCheck;
using FsCheck.Fluent;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Data;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Configuration;

/// <summary>Any valid configuration reads back as it was written.</summary>
public class RoundTripTests
{
    private static readonly FsCheck.Config s_check = FsCheck.Config.QuickThrowOnFailure.WithMaxTest(200).WithReplay(71, 43);

    [Test]
    public void ConfigurationsSurviveTheirFile()
        => Prop.ForAll(RunConfigs().ToArbitrary(), config =>
        {
            Assert.That(config.Validate(), Is.Empty);
            string json = config.ToJson();
            RunConfig read = new ConfigTree().AddJson(json, "config.json").Build();
            Assert.That(read.ToJson(), Is.EqualTo(json));
            Assert.That(read.Train, Is.EqualTo(config.Train));
            Assert.That(read.Model.LayerConfigs(), Is.EqualTo(config.Model.LayerConfigs()));
            Assert.That(CostModel.Of(read.Model with { Vocab = 1 }), Is.EqualTo(CostModel.Of(config.Model with { Vocab = 1 })));
        }).Check(s_check);

    [Test]
    public void ResolvingTwiceChangesNothing()
        => Prop.ForAll(RunConfigs().ToArbitrary(), config => Assert.That(config.Resolve().ToJson(), Is.EqualTo(config.ToJson()))).Check(s_check);

    private static Gen<RunConfig> RunConfigs() =>
        from preset in Gen.Elements(Presets.Names.ToArray())
        from tokenizer in Gen.Elements<TokenizerConfig>(
            new BpeTokenizerConfig(), new BpeTokenizerConfig { Vocab = 300 }, new ByteTokenizerConfig(), new FileTokenizerConfig { Path = "töken \"izer\".json" })
        // Not every kind fits every shape: some want an even number of heads.
        from model in Models().Where(m => !m.Validate("model").Any())
        from train in Trainings()
        from budget in Gen.Choose(0, 1000)
        from stops in Gen.Elements(Array.Empty<string>(), ["\n"], ["a", "\u2028", "</s>"])
        select new RunConfig
        {
            Preset = preset,
            Tokenizer = tokenizer,
            Model = model,
            Train = train,
            Geometry = new GeometryConfig { Budget = budget / 1000.0 },
            Generation = new GenerationConfig { Stop = stops, TopP = (budget + 1) / 1001.0 },
        }.Resolve();

    private static Gen<ModelConfig> Models() =>
        from groups in Gen.Choose(1, 4)
        from share in Gen.Choose(1, 4)
        from headDim in Gen.Choose(1, 40)
        from cycles in Gen.Choose(1, 3)
        from context in Gen.Choose(16, 300)
        from mixer in MixerConfigs()
        from feedForward in FeedForwards()
        from pattern in Gen.ArrayOf(Blocks(), 2)
        from flags in Gen.Choose(0, 63)
        from position in Gen.Elements(Enum.GetValues<PositionKind>())
        from epsilon in Gen.Choose(1, 1000)
        select new ModelConfig
        {
            Heads = groups * share,
            KvHeads = (flags & 1) == 0 ? groups : 0,
            HeadDim = (flags & 2) == 0 ? 2 * headDim : 0,
            Width = groups * share * 2 * headDim,
            Layers = cycles * pattern.Sum(block => block.Repeat),
            Context = context,
            Mixer = mixer,
            FeedForward = feedForward,
            Pattern = (flags & 4) == 0 ? pattern : null,
            Tied = (flags & 8) == 0,
            Bias = (flags & 16) == 0,
            QkNorm = (flags & 32) == 0,
            Norm = (flags & 48) == 0 ? NormKind.Layer : NormKind.Rms,
            Position = position,
            NormEpsilon = epsilon * 1e-7,
        };

    private static Gen<BlockConfig> Blocks() =>
        from mixer in Gen.OneOf(MixerConfigs().Select(config => (MixerConfig?)config), Gen.Constant<MixerConfig?>(null))
        from feedForward in Gen.OneOf(FeedForwards().Select(config => (FeedForwardConfig?)config), Gen.Constant<FeedForwardConfig?>(null))
        from repeat in Gen.Choose(1, 3)
        select new BlockConfig { Mixer = mixer, FeedForward = feedForward, Repeat = repeat };

    private static Gen<MixerConfig> MixerConfigs() =>
        from number in Gen.Choose(0, 16)
        from gate in Gen.Elements(Enum.GetValues<GatePosition>())
        from config in Gen.Elements<MixerConfig>(
        [
            .. ModelVariants.Mixers,
            new SlidingWindowConfig { Window = number, Sinks = number / 2 },
            new GatedAttentionConfig { Gate = gate },
            new TopKConfig { TopK = number },
        ])
        select config;

    private static Gen<FeedForwardConfig> FeedForwards() =>
        from hidden in Gen.Choose(0, 50)
        from experts in Gen.Choose(2, 9)
        from activation in Gen.Elements(Variant.Of<DenseConfig>().Select(kind => (DenseConfig)Activator.CreateInstance(kind.Type)!).ToArray())
        from config in Gen.Elements<FeedForwardConfig>(
            activation with { Hidden = hidden },
            new MoeConfig { Hidden = hidden, Experts = experts, Active = experts / 2, Shared = hidden % 3, Activation = activation, ZLoss = hidden / 7.0 })
        select config;

    private static Gen<TrainConfig> Trainings() =>
        from steps in Gen.Choose(1, 100000)
        from number in Gen.Choose(0, 1000000)
        from optimizer in Gen.Elements<OptimizerConfig>(new AdamWConfig { Epsilon = 1e-5 }, new MuonConfig { Momentum = 0.5, MatrixLearningRate = 0.25 }, new MuonConfig())
        from schedule in Gen.Elements(Enum.GetValues<ScheduleKind>())
        from seed in Gen.Elements(0L, 1L, 1L << 53, long.MaxValue)
        from open in Gen.Elements(true, false)
        select new TrainConfig
        {
            Steps = steps,
            Batch = number % 100,
            Optimizer = optimizer,
            Schedule = schedule,
            Seed = seed,
            LearningRate = open ? null : number * 1e-6,
            Warmup = open ? null : steps / 2,
            SamplePrompt = open ? "" : "Größe \t\"\\ 🙂",
            Minutes = number / 3.0,
        };
}
