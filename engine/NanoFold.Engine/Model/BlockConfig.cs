using NanoFold.Engine.Configuration;
using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;

namespace NanoFold.Engine.Model;

/// <summary>One entry of <c>model.pattern</c>: a layer, or several alike. What is null is the model's.</summary>
[PatternText]
public sealed record BlockConfig
{
    /// <summary>The mixer of these layers; null for model.mixer.</summary>
    public MixerConfig? Mixer { get; init; }

    /// <summary>The feed-forward of these layers; null for model.feedForward.</summary>
    public FeedForwardConfig? FeedForward { get; init; }

    /// <summary>Layers of this kind in a row.</summary>
    [Bounds(1, 4096)]
    public int Repeat { get; init; } = 1;
}
