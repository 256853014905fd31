using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>A model of ours as it is compared with another: what is about training only is left out, and what says the same in two ways is said in one.</summary>
internal static class ComparedModel
{
    /// <summary>The model so written.</summary>
    public static ModelConfig Of(ModelConfig model)
    {
        IReadOnlyList<LayerConfig> layers = [.. model.LayerConfigs().Select(layer => new LayerConfig(Of(layer.Mixer, model), Of(layer.FeedForward)))];
        return Bare(model) with
        {
            Mixer = layers[0].Mixer,
            FeedForward = layers[0].FeedForward,
            Hidden = 0,
            // Layers written one by one, so that patterns that mean the same are the same.
            Pattern = [.. layers.Select(layer => new BlockConfig { Mixer = layer.Mixer, FeedForward = layer.FeedForward })],
        };
    }

    /// <summary>The model with the sizes of recurrent heads as they are in it, whether the mixer says them or the model does.</summary>
    public static ModelConfig WithSizes(ModelConfig model) =>
        DecoderKeys.WithMixers(model, mixer => mixer is RecurrentHeadsConfig heads ? WithSizes(heads, heads.ShapeFor(model)) : mixer);

    private static RecurrentHeadsConfig WithSizes(RecurrentHeadsConfig mixer, HeadShape shape)
    {
        mixer = mixer with { Heads = shape.Heads, KvHeads = shape.KvHeads, HeadDim = shape.HeadDim, ValueDim = shape.ValueDim };
        // With heads of queries and keys that it says itself, model.kvHeads does not count.
        return mixer is not GatedDeltaNetConfig delta ? mixer
            : delta.KeyHeads > 0 || shape.KvHeads != shape.Heads ? delta with { KvHeads = delta.KeyHeads > 0 ? 0 : shape.KvHeads }
            : delta with { KeyHeads = shape.Heads, KvHeads = 0 };
    }

    private static ModelConfig Bare(ModelConfig model) => model with
    {
        Dropout = 0,
        Initialization = null,
        Adapters = [],
        Parametrization = new StandardConfig(),
        // Which then says nothing more, where layers have no other matrices.
        Bias = model.Bias && !model.LayerConfigs().All(layer => layer.Mixer is AttentionConfig or SlidingWindowConfig),
        QkvBias = model.QkvBias ?? model.Bias,
        OutputBias = model.OutputBias ?? model.Bias,
        FeedForwardBias = model.FeedForwardBias ?? model.Bias,
        QkNormOver = model.QkNorm ? model.QkNormOver : default,
        QkNormKind = model.QkNorm ? model.QkNormKind : default,
        QkNormBias = model.QkNormBias || !model.QkNorm || model.QkNormKind == NormKind.Rms,
    };

    private static MixerConfig Of(MixerConfig mixer, ModelConfig model) => mixer is HeadsConfig heads && heads.QkNorm == model.QkNorm ? heads with { QkNorm = null } : mixer;

    // A bias on the choice stays where it is a parameter, whether it is still moved or not.
    private static FeedForwardConfig Of(FeedForwardConfig feedForward) => feedForward is not MoeConfig mixture ? feedForward : mixture with
    {
        BalanceLoss = 0,
        ZLoss = 0,
        Capacity = 0,
        BiasRate = mixture.Routing == RouterKind.Sigmoid ? 0 : mixture.BiasRate,
    };
}
