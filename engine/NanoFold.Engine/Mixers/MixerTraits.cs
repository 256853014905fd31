using NanoFold.Engine.Modules;

namespace NanoFold.Engine.Mixers;

/// <summary>What holds of a mixer in a given model: decoding, measures and tests ask this, never its type.</summary>
public sealed record MixerTraits
{
    /// <summary>H of its <c>attn.hook_pattern</c> [B, H, T, T]; 0 where it has no weights on tokens.</summary>
    public int PatternHeads { get; init; }

    /// <summary>Whether tokens learn of others at all; where not, the layer has no such sub-block, norm and residual connection included.</summary>
    public bool Mixes { get; init; } = true;

    /// <summary>Tokens learn of those that <see cref="ModelShape.Visibility"/> shows them. Where not, of none after them: it serves causal models only.</summary>
    public bool FollowsVisibility { get; init; }

    /// <summary>A text comes to the same wherever in a row it stands, up to rounding: what it adds depends on distances, not on positions.</summary>
    public bool IsShiftInvariant { get; init; } = true;

    /// <summary>
    /// Its state serves a text of any length: decoding goes on beyond the context without reading anything again. Not so where positions are
    /// looked up in a table, or where every token is kept.
    /// </summary>
    public bool SlidesOn { get; init; }

    /// <summary>It chooses among tokens by size, so that a rounding may choose another one.</summary>
    public bool Chooses { get; init; }

    /// <summary>Steps of training in which it works in another way than after them; the pass is recorded anew when they are over.</summary>
    public long WarmUpSteps { get; init; }

    /// <summary>It has heads of queries and keys: the model's shapes of heads, QK-norm and rotary positions are for it.</summary>
    public bool HasHeads { get; init; }

    /// <summary>It weighs keys by scores that cannot level off: model.scoreCap is not for it.</summary>
    public bool RefusesScoreCap { get; init; }

    /// <summary>Why it cannot be one of several mixers beside each other in a layer, as in <c>it has no …</c>; null where it can.</summary>
    public string? Alone { get; init; }
}
