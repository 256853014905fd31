using System.Reflection;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Residuals;
using NanoFold.Tests.FeedForward.References;
using NanoFold.Tests.Mixers.References;
using NanoFold.Tests.Residuals.References;

namespace NanoFold.Tests.Suites;

/// <summary>The models that the suites run over: every registered mixer and feed-forward, and the settings that change their paths.</summary>
internal static class ModelVariants
{
    private const string Sandwich = "norms on both sides, gains from one, logits that level off", OneNorm = "mixer and feed-forward beside each other after one norm";

    /// <summary>Two layers, context 16.</summary>
    public static ModelConfig Base => new() { Layers = 2, Width = 16, Heads = 4, Context = 16, Vocab = 19, Hidden = 24 };

    public static IEnumerable<MixerConfig> Mixers => Tiny<MixerConfig>();

    public static IEnumerable<FeedForwardConfig> FeedForwards => Tiny<FeedForwardConfig>();

    public static IEnumerable<ResidualConfig> Residuals => Tiny<ResidualConfig>();

    public static IEnumerable<(string Name, ModelConfig Model)> All =>
        [.. Mixers.SelectMany(OfMixer), .. FeedForwards.SelectMany(OfFeedForward), .. Residuals.SelectMany(OfResidual), .. Settings];

    /// <summary>One layer of each kind, and all that a kind lists as special: together they have every kind of point.</summary>
    public static IEnumerable<(string Name, ModelConfig Model)> OneLayer =>
        from variant in (IEnumerable<(string Name, ModelConfig Model)>)
        [
            .. Mixers.Select(mixer => Plain(mixer)),
            .. Mixers.SelectMany(mixer => MixerReference.Of(mixer).Variants(Base)),
            // Without a mixer, whose points the others have.
            .. FeedForwards.Where(feedForward => feedForward.IsThere).Select(feedForward => OfFeedForward(feedForward).First()).Select(v => (v.Name, v.Model with { Mixer = new NoneConfig() })),
            .. Settings.Where(v => v.Name is "tied" or "learned positions" or Sandwich or OneNorm),
            .. Residuals.SelectMany(OfResidual),
        ]
        where variant.Model.Pattern is null
        select (variant.Name, variant.Model with { Layers = 1, Hidden = 8 });

    /// <summary>What a simulated GPU has time for whenever tests run: enough to reach every kernel.</summary>
    public static IReadOnlySet<string> Quick { get; } = Mixers.SelectMany(mixer => MixerReference.Of(mixer).Quick(mixer.Kind)).Append("moe").ToHashSet();

    /// <summary>Of these, where a whole run more is asked for.</summary>
    public static IReadOnlySet<string> QuickToDecode { get; } = Mixers.SelectMany(mixer => MixerReference.Of(mixer).QuickToDecode(mixer.Kind)).ToHashSet();

    private static IEnumerable<(string Name, ModelConfig Model)> Settings =>
    [
        // They are added to the embedding: no mixer knows of them, but decoding does.
        ("learned positions", Base with { Position = PositionKind.Learned }),
        ("learned positions with a recurrence", Base with { Position = PositionKind.Learned, Mixer = GruConfig.Tiny }),
        ("qk-norm", Base with { QkNorm = true }),
        ("norms of each head, scaled positions, scores that level off", Base with
        {
            KvHeads = 2,
            QkNorm = true,
            QkNormOver = QkNormSpan.EachHead,
            QkNormKind = NormKind.Layer,
            QkvBias = true,
            ScoreScale = 0.7,
            ScoreCap = 1.5,
            Pattern =
            [
                new BlockConfig { Mixer = new SlidingWindowConfig { Window = 4, Sinks = 0, RopeBase = 50, RopeScaling = new YarnConfig { Factor = 4, Original = 8, BetaFast = 2, BetaSlow = 0.1 } } },
                new BlockConfig { Mixer = new AttentionConfig { Rope = false } },
            ],
        }),
        ("norms over all heads", Base with
        {
            KvHeads = 2,
            QkNorm = true,
            QkNormOver = QkNormSpan.Width,
            OutputBias = true,
            RopeScaling = new Llama3RopeConfig { Factor = 8, Original = 8 },
        }),
        ("mixer and feed-forward beside each other, norms after them, values of all depths", Base with
        {
            NormPlace = NormPlaceKind.Post, Parallel = ParallelKind.TwoNorms, Residual = AttentionResidualsConfig.Tiny, QkNorm = true, QkNormOver = QkNormSpan.Width,
        }),
        (Sandwich, Base with
        {
            NormPlace = NormPlaceKind.Sandwich,
            NormGainFromOne = true,
            KvHeads = 2,
            QkNorm = true,
            Tied = true,
            HeadBias = true,
            EmbeddingScale = 4,
            LogitScale = 0.7,
            LogitCap = 1.5,
            FeedForward = GeGluTanhConfig.Tiny,
        }),
        (OneNorm, Base with { Parallel = ParallelKind.OneNorm, Norm = NormKind.Layer, NormBias = false, Bias = true, FeedForwardBias = false, HeadBias = true, LogitScale = 0.35 }),
        ("mixer and feed-forward beside each other, each with its norms", Base with
        {
            Layers = 3,
            Parallel = ParallelKind.TwoNorms,
            NormPlace = NormPlaceKind.Sandwich,
            Norm = NormKind.Layer,
            NormGainFromOne = true,
            QkNorm = true,
            QkNormOver = QkNormSpan.EachHead,
            FeedForwardBias = true,
            Residual = HyperConnectionsConfig.Tiny,
            Pattern = [new BlockConfig(), new BlockConfig { FeedForward = GeluConfig.Tiny }, new BlockConfig { Mixer = new NoneConfig() }],
        }),
        ("tied", Base with { Tied = true }),
        ("bias", Base with { Bias = true }),
        ("layer-norm", Base with { Norm = NormKind.Layer }),
        ("full visibility", Base with
        {
            Layers = 3,
            KvHeads = 2,
            Visibility = VisibilityKind.Full,
            Pattern = [new BlockConfig { Mixer = SlidingWindowConfig.Tiny }, new BlockConfig { Mixer = TopKConfig.Tiny }, new BlockConfig { Mixer = DifferentialConfig.Tiny }],
        }),
        ("prefix visibility", Base with
        {
            Layers = 3,
            KvHeads = 2,
            Visibility = VisibilityKind.Prefix,
            Pattern = [new BlockConfig { Mixer = AttentionConfig.Tiny }, new BlockConfig { Mixer = LatentAttentionConfig.Tiny }, new BlockConfig { Mixer = BudgetAdaptiveConfig.Tiny }],
        }),
        ("pattern", Base with
        {
            Layers = 4,
            Pattern =
            [
                new BlockConfig { Mixer = SlidingWindowConfig.Tiny, FeedForward = MoeConfig.Tiny },
                new BlockConfig { Mixer = TopKConfig.Tiny },
                new BlockConfig { FeedForward = GeluConfig.Tiny, Repeat = 2 },
            ],
        }),
    ];

    private static (string Name, ModelConfig Model) Plain(MixerConfig mixer, PositionKind position = PositionKind.Rope) =>
        ($"{mixer.Kind} {position}", Base with { Mixer = mixer, Position = position });

    private static IEnumerable<(string Name, ModelConfig Model)> OfMixer(MixerConfig mixer)
    {
        yield return Plain(mixer);
        bool hasHeads = mixer.Traits(Base.Resolve()).HasHeads;
        if (hasHeads)
        {
            yield return Plain(mixer, PositionKind.None);
            yield return ($"{mixer.Kind} grouped", Base with { Mixer = mixer, KvHeads = 2 });
            yield return ($"{mixer.Kind} multi-query", Base with { Mixer = mixer, KvHeads = 1, HeadDim = 6 });
        }

        yield return ($"{mixer.Kind} everything", Base with
        {
            Mixer = mixer,
            KvHeads = 2,
            QkNorm = true,
            Tied = true,
            Bias = true,
            Norm = NormKind.Layer,
            RopeInterleaved = true,
        });
        foreach ((string Name, ModelConfig Model) own in MixerReference.Of(mixer).Variants(Base))
        {
            yield return own;
        }
    }

    private static IEnumerable<(string Name, ModelConfig Model)> OfFeedForward(FeedForwardConfig feedForward) =>
    [
        (feedForward.Kind, Base with { FeedForward = feedForward, Hidden = 0 }),
        ($"{feedForward.Kind} bias", Base with { FeedForward = feedForward, Hidden = 0, Bias = true }),
        .. FeedForwardReference.Of(feedForward).Variants(Base),
    ];

    private static IEnumerable<(string Name, ModelConfig Model)> OfResidual(ResidualConfig residual) => ResidualReference.Of(residual).Variants(residual, Base);

    private static IEnumerable<TConfig> Tiny<TConfig>() => Variant.Of<TConfig>().Select(variant =>
        (TConfig)variant.Type.GetProperty("Tiny", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!);
}
