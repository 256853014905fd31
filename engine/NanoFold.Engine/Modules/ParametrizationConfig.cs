using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Modules;

/// <summary>
/// How initial values, learning rates, scores and the head depend on the width of the model. A variant is a record of its settings with a line here.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(StandardConfig), "standard")]
[JsonDerivedType(typeof(MupConfig), "mup")]
public abstract record ParametrizationConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>m, by which initial values and rates of what grows with the width are scaled.</summary>
    /// <param name="width">C, of the model.</param>
    public virtual double Ratio(int width) => 1;

    /// <summary>C in the initial values of an embedding that is not tied to the head, 2/√C.</summary>
    /// <param name="width">Of the model.</param>
    public virtual int EmbeddingWidth(int width) => width;

    /// <summary>The factor on the product of a query and a key of <paramref name="headDim"/> elements.</summary>
    public virtual double ScoreScale(int headDim) => 1 / Math.Sqrt(headDim);
}

/// <summary>The usual: scores over √D, one learning rate for all, whose best value falls as the width grows.</summary>
public sealed record StandardConfig : ParametrizationConfig;

/// <summary>
/// The maximal update parametrization (µP, arXiv 2203.03466, table 8): the best learning rate, found at a small width, stays the best at larger ones, where the ratio of
/// hidden and of the heads to the width is kept. With m = width / baseWidth: rates of hidden matrices are divided by m with AdamW and its like (with Muon nothing is, with SGD
/// rates of all others are multiplied by it), logits are divided by m, embeddings begin as at the base width, scores have the factor √baseHeadDim / D. Weight decay times rate
/// stays the same.
/// </summary>
public sealed record MupConfig : ParametrizationConfig
{
    /// <summary>The width at which everything is as in the standard one, where queries have baseHeadDim elements.</summary>
    [Bounds(1, 1 << 16)]
    public int BaseWidth { get; init; } = 128;

    /// <summary>The elements of a query at which scores are as in the standard one: model.headDim, of latent attention nopeDim + ropeDim.</summary>
    [Bounds(1, 4096)]
    public int BaseHeadDim { get; init; } = 32;

    /// <inheritdoc/>
    public override double Ratio(int width) => (double)width / BaseWidth;

    /// <inheritdoc/>
    public override int EmbeddingWidth(int width) => BaseWidth;

    /// <inheritdoc/>
    public override double ScoreScale(int headDim) => Math.Sqrt(BaseHeadDim) / headDim;
}
