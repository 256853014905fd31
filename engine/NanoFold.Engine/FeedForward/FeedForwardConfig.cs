using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// What acts on each token alone. A variant is a record of its settings with a line here; it also has a static <c>Tiny</c>.
/// </summary>
/// <remarks>The model given to a method is resolved: no zero is left in it that stands for something.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(ReluConfig), "relu")]
[JsonDerivedType(typeof(Relu2Config), "relu2")]
[JsonDerivedType(typeof(GeluConfig), "gelu")]
[JsonDerivedType(typeof(GeluTanhConfig), "gelu-tanh")]
[JsonDerivedType(typeof(SwiGluConfig), "swiglu")]
[JsonDerivedType(typeof(ClampedSwiGluConfig), "clamped-swiglu")]
[JsonDerivedType(typeof(GeGluConfig), "geglu")]
[JsonDerivedType(typeof(GeGluTanhConfig), "geglu-tanh")]
[JsonDerivedType(typeof(MoeConfig), "moe")]
[JsonDerivedType(typeof(NoFeedForwardConfig), "none")]
public abstract record FeedForwardConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>Whether layers have it at all.</summary>
    [JsonIgnore]
    public virtual bool IsThere => true;

    /// <summary>F; 0 for model.hidden, and where that is 0 too for as many as give the kind its usual number of parameters.</summary>
    [Bounds(0, 1 << 18, Auto = true)]
    public int Hidden { get; init; }

    /// <summary>What is inconsistent with the model.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(ModelShape model, string path) => [];

    /// <summary>F, worked out.</summary>
    public int HiddenFor(ModelShape model) => Hidden > 0 ? Hidden : model.Hidden > 0 ? model.Hidden : DefaultHidden(model.Width);

    /// <summary>This with its defaults worked out. Of the model, only what does not depend on feed-forwards is resolved.</summary>
    public virtual FeedForwardConfig Resolve(ModelShape model) => this with { Hidden = HiddenFor(model) };

    /// <summary>F where nothing says otherwise.</summary>
    public abstract int DefaultHidden(int width);

    /// <summary>Declares the parameters of one layer and returns its module.</summary>
    public abstract FeedForwardModule Build(ModuleBuilder builder);
}
