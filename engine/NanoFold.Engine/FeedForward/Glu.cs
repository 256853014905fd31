namespace NanoFold.Engine.FeedForward;

/// <summary>W_down · (silu(W_gate x) ⊙ W_up x), silu(x) = x · σ(x).</summary>
public sealed record SwiGluConfig : DenseConfig
{
    public static SwiGluConfig Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override Activation Activation => Activation.SwiGlu;
}

/// <summary>W_down · (gelu(W_gate x) ⊙ W_up x), gelu(x) = x · Φ(x).</summary>
public sealed record GeGluConfig : DenseConfig
{
    public static GeGluConfig Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override Activation Activation => Activation.GeGlu;
}
