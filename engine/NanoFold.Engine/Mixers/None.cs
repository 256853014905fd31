using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>
/// No mixer: the layer is its feed-forward alone, x ← x + feedForward(norm(x)), and the sub-block is left out with its norm. A model of such layers
/// knows of each token only that token, and of its place only what learned positions add: the control that shows what mixing is worth.
/// </summary>
public sealed record NoneConfig : MixerConfig
{
    public static NoneConfig Tiny => new();

    /// <inheritdoc/>
    public override MixerTraits Traits(ModelShape model) => new() { Mixes = false, FollowsVisibility = true, SlidesOn = true, Alone = "it does not mix" };

    /// <inheritdoc/>
    public override Mixer Build(ModuleBuilder builder) => throw new NotSupportedException("none: has no module; the block leaves it out");
}
