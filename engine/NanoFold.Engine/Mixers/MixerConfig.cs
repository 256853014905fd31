using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// A sequence mixer: what lets a token see those before it. A variant is a record of its settings with a line here; it also has a static
/// <c>Tiny</c>, an instance that makes sense at a context of 16.
/// </summary>
/// <remarks>The model given to a method is resolved: no zero is left in it that stands for something.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(AttentionConfig), "attention")]
[JsonDerivedType(typeof(SlidingWindowConfig), "sliding-window")]
[JsonDerivedType(typeof(GatedAttentionConfig), "gated-attention")]
[JsonDerivedType(typeof(DifferentialConfig), "differential")]
[JsonDerivedType(typeof(ForgettingConfig), "forgetting")]
[JsonDerivedType(typeof(LatentAttentionConfig), "latent-attention")]
[JsonDerivedType(typeof(BudgetAdaptiveConfig), "budget-adaptive")]
[JsonDerivedType(typeof(DsaConfig), "dsa")]
[JsonDerivedType(typeof(TopKConfig), "top-k")]
[JsonDerivedType(typeof(BlockSparseConfig), "block-sparse")]
[JsonDerivedType(typeof(MobaConfig), "moba")]
[JsonDerivedType(typeof(NsaConfig), "nsa")]
[JsonDerivedType(typeof(DeltaNetConfig), "delta-net")]
[JsonDerivedType(typeof(GatedDeltaNetConfig), "gated-delta-net")]
[JsonDerivedType(typeof(GatedLinearAttentionConfig), "gated-linear-attention")]
[JsonDerivedType(typeof(LightningAttentionConfig), "lightning-attention")]
[JsonDerivedType(typeof(LinearAttentionConfig), "linear-attention")]
[JsonDerivedType(typeof(Mamba2Config), "mamba2")]
[JsonDerivedType(typeof(MlstmConfig), "mlstm")]
[JsonDerivedType(typeof(RetentionConfig), "retention")]
[JsonDerivedType(typeof(GruConfig), "gru")]
[JsonDerivedType(typeof(MambaConfig), "mamba")]
[JsonDerivedType(typeof(RgLruConfig), "rg-lru")]
[JsonDerivedType(typeof(RnnConfig), "rnn")]
[JsonDerivedType(typeof(Rwkv4Config), "rwkv4")]
[JsonDerivedType(typeof(ConvolutionConfig), "convolution")]
[JsonDerivedType(typeof(GatedConvolutionConfig), "gated-convolution")]
[JsonDerivedType(typeof(MlpMixerConfig), "mlp-mixer")]
[JsonDerivedType(typeof(NoneConfig), "none")]
[JsonDerivedType(typeof(ParallelConfig), "parallel")]
public abstract record MixerConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>What is inconsistent with the model.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(ModelShape model, string path) => [];

    /// <summary>This with its defaults worked out. Of the model, only what does not depend on mixers is resolved.</summary>
    public virtual MixerConfig Resolve(ModelShape model) => this;

    /// <summary>What holds of it in a model.</summary>
    public virtual MixerTraits Traits(ModelShape model) => new();

    /// <summary>
    /// What a layer adds to the FLOPs per token besides 6 per weight, by the convention for shares of a peak: 12 · H · D for each key that
    /// a query may see at full context; nothing where no two positions are multiplied.
    /// </summary>
    public virtual long PairFlopsPerToken(ModelShape model) => 0;

    /// <summary>Declares the parameters of one layer and returns its module; not asked where it does not mix (<see cref="MixerTraits.Mixes"/>).</summary>
    public abstract Mixer Build(ModuleBuilder builder);
}
