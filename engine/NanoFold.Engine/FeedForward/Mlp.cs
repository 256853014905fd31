namespace NanoFold.Engine.FeedForward;

/// <summary>W_down · max(W_up x, 0).</summary>
public sealed record ReluConfig : DenseConfig
{
    public static ReluConfig Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override Activation Activation => Activation.Relu;
}

/// <summary>W_down · max(W_up x, 0)².</summary>
public sealed record Relu2Config : DenseConfig
{
    public static Relu2Config Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override Activation Activation => Activation.Relu2;
}

/// <summary>W_down · gelu(W_up x), gelu(x) = x · Φ(x).</summary>
public sealed record GeluConfig : DenseConfig
{
    public static GeluConfig Tiny => new() { Hidden = 24 };

    /// <inheritdoc/>
    public override Activation Activation => Activation.Gelu;
}
