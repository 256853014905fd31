using System.Text.Json.Serialization;

namespace NanoFold.Engine.FeedForward;

/// <summary>What lies between the matrices of a feed-forward.</summary>
public enum Activation
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>max(x, 0)².</summary>
    Relu2,

    /// <summary>x · Φ(x).</summary>
    Gelu,

    /// <summary>silu(gate) ⊙ up.</summary>
    [JsonStringEnumMemberName("swiglu")]
    SwiGlu,

    /// <summary>gelu(gate) ⊙ up.</summary>
    [JsonStringEnumMemberName("geglu")]
    GeGlu,
}
