namespace NanoFold.Engine.Taps;

/// <summary>A point that a module declares: its name within the module (TransformerLens where that has one) and its shape.</summary>
/// <param name="Name">As in <c>hook_resid_post</c> or <c>attn.hook_q</c>.</param>
/// <param name="Shape">Dimensions as in <c>B T H D</c>; letters mean the same everywhere (B batch, T time, C width, H heads, G key heads, D head dimension, F hidden, E experts, V vocabulary).</param>
public sealed record TapPoint(string Name, string Shape)
{
    /// <summary>Whether it can be read and not edited: nothing uses the value.</summary>
    public bool IsReadOnly { get; init; }
}
