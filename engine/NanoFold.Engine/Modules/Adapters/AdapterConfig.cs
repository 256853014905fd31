using System.Text.Json.Serialization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;

namespace NanoFold.Engine.Modules.Adapters;

/// <summary>
/// What is put around some linear layers of a model, with parameters of its own, so that a few of them can be trained in place of all. A variant is a record of its
/// settings with a line here; it also has a static <c>Tiny</c>, an instance that makes sense in a small model.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(LoraConfig), "lora")]
public abstract record AdapterConfig
{
    /// <summary>In <see cref="Targets"/>: every linear layer but the head.</summary>
    public const string AllLinear = "all-linear";

    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>
    /// The linear layers that get it, by their names, ends of them or patterns with <c>*</c> and <c>?</c>: <c>q_proj</c>, <c>layers.0.mlp.*_proj</c>; or
    /// <c>all-linear</c>, all but the head. <c>embed_tokens</c> are the vectors of tokens.
    /// </summary>
    public IReadOnlyList<string> Targets { get; init; } = ["q_proj", "v_proj"];

    /// <summary>Layers among <see cref="Targets"/> that do not get it, named in the same way.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>What is inconsistent in it.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(string path)
    {
        if (Targets.Count == 0)
        {
            yield return new ConfigProblem($"{path}.targets", $"is empty; name linear layers, such as q_proj, or use \"{AllLinear}\"");
        }
    }

    /// <summary>Declares what one layer gets and puts it around the layer.</summary>
    /// <param name="builder">Where its parameters go: under the layer's name.</param>
    /// <param name="layer">The layer, which may be used by what is returned and by nothing else.</param>
    public abstract Linear Wrap(ModuleBuilder builder, Linear layer);

    /// <summary>The same for layers of experts, [E, out, in]; a kind that is not for them leaves this out.</summary>
    /// <exception cref="UserException">It is not for them.</exception>
    public virtual GroupedLinear Wrap(ModuleBuilder builder, GroupedLinear layer)
        => throw UserException.Usage($"model.adapters: \"{Kind}\" cannot be put around layers of experts; name them in exclude");

    /// <summary>The same for the vectors of tokens, where a target names them (<c>embed_tokens</c>); a kind that is not for them leaves this out.</summary>
    /// <exception cref="UserException">It is not for them.</exception>
    public virtual Embedding Wrap(ModuleBuilder builder, Embedding layer)
        => throw UserException.Usage($"model.adapters: \"{Kind}\" cannot be put around the vectors of tokens; name linear layers in targets");

    /// <summary>Whether a name is one that a target means: all of it or what comes after a dot of it.</summary>
    internal static bool Means(string target, string name) => TapName.Matches(target, name) || TapName.Matches($"*.{target}", name);
}
