using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>A feed-forward whose every weight meets every token; what lies between its matrices makes the kind.</summary>
public abstract record DenseConfig : FeedForwardConfig
{
    /// <summary>What the kind stands for.</summary>
    public abstract Activation Activation { get; }

    /// <inheritdoc/>
    public override int DefaultHidden(int width) => Activation.DefaultHidden(width);

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder) => new Dense(builder.In("mlp"), HiddenFor(builder.Model), Activation);
}
