using NanoFold.Engine.Ops;

namespace NanoFold.Engine.FeedForward;

/// <summary>W_down · gelu(W_up x), gelu(x) = x · Φ(x).</summary>
public sealed record GeluConfig : MlpConfig<Gelu>
{
    public static GeluConfig Tiny => new() { Hidden = 24 };
}

/// <summary>W_down · gelu(W_up x), with the tanh form of GPT-2.</summary>
public sealed record GeluTanhConfig : MlpConfig<GeluTanh>
{
    public static GeluTanhConfig Tiny => new() { Hidden = 24 };
}

/// <summary>W_down · (gelu(W_gate x) ⊙ W_up x), gelu(x) = x · Φ(x).</summary>
public sealed record GeGluConfig : GluConfig<Gelu>
{
    public static GeGluConfig Tiny => new() { Hidden = 24 };
}

/// <summary>W_down · (gelu(W_gate x) ⊙ W_up x), with the tanh form.</summary>
public sealed record GeGluTanhConfig : GluConfig<GeluTanh>
{
    public static GeGluTanhConfig Tiny => new() { Hidden = 24 };
}
