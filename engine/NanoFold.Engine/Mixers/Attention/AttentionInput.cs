using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Mixers;

/// <summary>What a layer of attention works on.</summary>
/// <param name="X">The normed stream [B, T, C].</param>
/// <param name="Q">Queries [B, T, H, D], turned by their positions.</param>
/// <param name="K">Keys [B, T, G, D], turned by theirs.</param>
/// <param name="V">Values [B, T, GV, DV].</param>
/// <param name="Terms">What scores get besides products.</param>
public readonly record struct AttentionInput(Tensor X, Tensor Q, Tensor K, Tensor V, ScoreTerms Terms)
{
    /// <summary>Where a product turned queries and keys: attention gives their gradients before the turn, and nothing else may have a gradient of theirs.</summary>
    internal RotaryPositions? Rotary { get; init; }
}
