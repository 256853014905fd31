using NanoFold.Engine.Modules;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>A sequence mixer: tokens learn of those before them. The one part of a block in which positions meet.</summary>
public abstract class Mixer
{
    /// <summary>Points within the mixer, named from the block: <c>attn.hook_q</c>.</summary>
    public abstract IReadOnlyList<TapPoint> TapPoints { get; }

    /// <summary>x [B, T, C], normed, to what is added to the residual stream [B, T, C].</summary>
    public abstract Tensor Forward(ForwardContext context, Tensor x);

    /// <summary>What decoding keeps, for <paramref name="batch"/> rows and at most <paramref name="chunk"/> new tokens at a time.</summary>
    public virtual IEnumerable<StateSlot> State(int batch, int chunk) => [];
}
