using NanoFold.Engine.Ops;

namespace NanoFold.Engine.FeedForward;

/// <summary>W_down · (silu(W_gate x) ⊙ W_up x), silu(x) = x · σ(x).</summary>
public sealed record SwiGluConfig : GluConfig<Silu>
{
    public static SwiGluConfig Tiny => new() { Hidden = 24 };
}
