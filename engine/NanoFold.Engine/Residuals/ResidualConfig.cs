using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Residuals;

/// <summary>
/// How what a sub-block makes joins the stream that it was made of. A variant is a record of its settings with a line here; it also has a static
/// <c>Tiny</c>.
/// </summary>
/// <remarks>The model given to a method is resolved.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(AddConfig), "add")]
public abstract record ResidualConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>What is inconsistent with the model.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(ModelShape model, string path) => [];

    /// <summary>Declares the parameters of one sub-block's connection, where it has any, and returns its module.</summary>
    public abstract Residual Build(ModuleBuilder builder);
}
