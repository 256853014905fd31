using System.Text.Json.Serialization;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Training;

/// <summary>
/// How gradients become updates. A variant is a record of its own settings, with what it does (<see cref="UpdateRule"/>) beside it, and a line here. What every
/// optimizer has (the peak of the learning rate, its schedule, weight decay, clipping) stands in <see cref="TrainConfig"/>.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = ConfigJson.Kind)]
[JsonDerivedType(typeof(AdamWConfig), "adamw")]
[JsonDerivedType(typeof(MuonConfig), "muon")]
[JsonDerivedType(typeof(SgdConfig), "sgd")]
[JsonDerivedType(typeof(LionConfig), "lion")]
[JsonDerivedType(typeof(AdEMAMixConfig), "ademamix")]
public abstract record OptimizerConfig
{
    /// <summary>The name in configurations.</summary>
    [JsonIgnore]
    public string Kind => Variant.KindOf(this);

    /// <summary>How the head, and what writes to the stream, start best with it.</summary>
    [JsonIgnore]
    public virtual InitializationKind Initialization => InitializationKind.Scaled;

    /// <summary>
    /// The factor on the learning rate of a parameter that grew with the model's width, so that the best rate stays where it was (µP, arXiv 2203.03466). What is
    /// here suits updates whose size does not depend on the gradient's, element by element, as Adam's.
    /// </summary>
    public virtual double RateFactor(Parameter parameter) => parameter.Growth.OfNormalizedUpdate;

    /// <summary>What is inconsistent in it.</summary>
    public virtual IEnumerable<ConfigProblem> Validate(string path) => [];

    /// <summary>The settings of <see cref="TrainConfig"/> that suit it.</summary>
    /// <param name="preset">A preset's name; any other stands for a small model.</param>
    public abstract OptimizerDefaults Defaults(string preset);

    /// <summary>This with its own settings worked out.</summary>
    /// <inheritdoc cref="Defaults" path="/param"/>
    public virtual OptimizerConfig Resolve(string preset) => this;

    /// <summary>Takes the memory it needs for a store's parameters and gives what updates them.</summary>
    public abstract UpdateRule Build(OptimizerBuilder builder);
}

/// <summary>What an optimizer suggests where a configuration leaves settings of <see cref="TrainConfig"/> open.</summary>
/// <param name="LearningRate">The peak.</param>
/// <param name="WeightDecay">Of matrices and head.</param>
/// <param name="Warmup">Steps, at most a tenth of the run.</param>
public sealed record OptimizerDefaults(double LearningRate, double WeightDecay, int Warmup);
