using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Modules;

/// <summary>What a block applies to the normed stream: a mixer or a feed-forward.</summary>
public abstract class BlockModule
{
    /// <summary>Points within it, named from the block: <c>attn.hook_q</c>, <c>mlp.hook_post</c>.</summary>
    public virtual IReadOnlyList<TapPoint> TapPoints => [];

    /// <summary>x [B, T, C], normed, to what joins the residual stream [B, T, C]; the block drops out and joins.</summary>
    public abstract Tensor Forward(ForwardContext context, Tensor x);

    /// <summary>What decoding keeps, for <paramref name="batch"/> rows and at most <paramref name="chunk"/> new tokens at a time.</summary>
    public virtual IEnumerable<StateSlot> State(int batch, int chunk) => [];
}
