using NanoFold.Engine.Modules;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.FeedForward;

/// <summary>A feed-forward: each token on its own.</summary>
public abstract class FeedForwardModule
{
    /// <summary>Points within it, named from the block: <c>mlp.hook_post</c>.</summary>
    public abstract IReadOnlyList<TapPoint> TapPoints { get; }

    /// <summary>x [B, T, C], normed, to what is added to the residual stream [B, T, C].</summary>
    public abstract Tensor Forward(ForwardContext context, Tensor x);
}
