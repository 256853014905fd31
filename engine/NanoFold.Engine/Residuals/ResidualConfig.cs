using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Residuals;

/// <summary>
/// How sub-blocks read the residual stream and how what they make joins it. A variant is a record of its settings with a line here; it also has a static
/// <c>Tiny</c>.
/// </summary>
/// <remarks>The model given to a method is resolved.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(AddConfig), "add")]
[JsonDerivedType(typeof(ScaledConfig), "scaled")]
[JsonDerivedType(typeof(HyperConnectionsConfig), "hyper-connections")]
[JsonDerivedType(typeof(AttentionResidualsConfig), "attention-residuals")]
public abstract record ResidualConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>Whether what is carried is one vector of model.width for each token, so that norms can stand on the stream itself.</summary>
    [JsonIgnore]
    public virtual bool CarriesOneVector => false;

    /// <summary>What is inconsistent with the model.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(ModelShape model, string path) => [];

    /// <summary>Declares the parameters that belong to no sub-block, where there are any, and returns the module of a model's stream.</summary>
    public abstract Residual Build(ModuleBuilder builder);
}
