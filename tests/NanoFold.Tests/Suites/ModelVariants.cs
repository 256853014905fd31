using System.Reflection;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Tests.Suites;

/// <summary>The models that the suites run over: every registered mixer and feed-forward, and the settings that change their paths.</summary>
internal static class ModelVariants
{
    /// <summary>Two layers, context 16.</summary>
    public static ModelConfig Base => new() { Layers = 2, Width = 16, Heads = 4, Context = 16, Vocab = 19, Hidden = 24 };

    public static IEnumerable<MixerConfig> Mixers => Tiny<MixerConfig>();

    public static IEnumerable<FeedForwardConfig> FeedForwards => Tiny<FeedForwardConfig>();

    public static IEnumerable<(string Name, ModelConfig Model)> All
    {
        get
        {
            foreach (MixerConfig mixer in Mixers)
            {
                foreach (PositionKind position in Enum.GetValues<PositionKind>())
                {
                    yield return ($"{mixer.Kind} {position}", Base with { Mixer = mixer, Position = position });
                }

                yield return ($"{mixer.Kind} grouped", Base with { Mixer = mixer, KvHeads = 2 });
                yield return ($"{mixer.Kind} multi-query", Base with { Mixer = mixer, KvHeads = 1, HeadDim = 6 });
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
            }

            foreach (FeedForwardConfig feedForward in FeedForwards)
            {
                yield return (feedForward.Kind, Base with { FeedForward = feedForward, Hidden = 0 });
                yield return ($"{feedForward.Kind} bias", Base with { FeedForward = feedForward, Hidden = 0, Bias = true });
            }

            yield return ("moe not renormalised", Base with { FeedForward = MoeConfig.Tiny with { Renormalize = false, Shared = 0, Activation = Activation.Relu2 } });
            yield return ("moe of one", Base with { FeedForward = MoeConfig.Tiny with { Experts = 3, Active = 1, Shared = 2 } });
            yield return ("qk-norm", Base with { QkNorm = true });
            yield return ("tied", Base with { Tied = true });
            yield return ("bias", Base with { Bias = true });
            yield return ("layer-norm", Base with { Norm = NormKind.Layer });
            yield return ("pattern", Base with
            {
                Layers = 4,
                Pattern =
                [
                    new BlockConfig { Mixer = SlidingWindowConfig.Tiny, FeedForward = MoeConfig.Tiny },
                    new BlockConfig { Mixer = TopKConfig.Tiny },
                    new BlockConfig { FeedForward = GeluConfig.Tiny, Repeat = 2 },
                ],
            });
            foreach ((string Name, ModelConfig Model) gated in Gates())
            {
                yield return gated;
            }
        }
    }

    private static IEnumerable<(string Name, ModelConfig Model)> Gates()
    {
        foreach (GatePosition gate in Enum.GetValues<GatePosition>())
        {
            foreach (GateGranularity granularity in Enum.GetValues<GateGranularity>())
            {
                ModelConfig model = Base with { KvHeads = 2, QkNorm = true, Mixer = new GatedAttentionConfig { Gate = gate, Granularity = granularity } };
                if (!model.Validate("model").Any())
                {
                    yield return ($"gate {gate} {granularity}", model);
                }
            }
        }
    }

    private static IEnumerable<TConfig> Tiny<TConfig>() => Variant.Of<TConfig>().Select(variant =>
        (TConfig)variant.Type.GetProperty("Tiny", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!);
}
