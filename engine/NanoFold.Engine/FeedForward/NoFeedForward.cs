using NanoFold.Engine.Modules;

namespace NanoFold.Engine.FeedForward;

/// <summary>
/// No feed-forward: the layer is its mixer alone, x ← x + mixer(norm(x)), and the sub-block is left out with its norm, as in models that are to show what mixers
/// can do (zoology, arXiv 2312.04927).
/// </summary>
public sealed record NoFeedForwardConfig : FeedForwardConfig
{
    public static NoFeedForwardConfig Tiny => new();

    /// <inheritdoc/>
    public override bool IsThere => false;

    /// <inheritdoc/>
    public override FeedForwardConfig Resolve(ModelShape model) => this with { Hidden = 0 };

    /// <inheritdoc/>
    public override int DefaultHidden(int width) => 0;

    /// <inheritdoc/>
    public override FeedForwardModule Build(ModuleBuilder builder) => throw new NotSupportedException("none: has no module; the block leaves it out");
}
