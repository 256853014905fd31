using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Attention of decoding: appends the keys and values of new tokens to a cache of fixed capacity and attends over it.
/// Position p of a sequence lies in slot p while p &lt; Sinks, otherwise in slot Sinks + (p − Sinks) mod (Capacity − Sinks): a ring where the
/// capacity is below the context (windows), plain where it is not.
/// </summary>
public readonly record struct CachedAttentionCall : IKernelCall<CachedAttentionCall>
{
    public static string Name => "cached-attention";

    /// <summary>[B, T, H, D]: T new tokens, of which row b uses the first Counts[b].</summary>
    public required View Q { get; init; }

    /// <summary>[B, T, G, D].</summary>
    public required View K { get; init; }

    /// <summary>[B, T, GV, DV] with GV a divisor of G; or none: then values are the first DV elements of keys (latent attention).</summary>
    public required View V { get; init; }

    /// <summary>[B, T, H, DV]; rows after Counts[b] become 0.</summary>
    public required View Y { get; init; }

    /// <summary>[B, Capacity, G, D], contiguous; of the type of the others, or of 16 bits where the backend keeps keys so (<see cref="Backend.CanCacheIn"/>): rounded to nearest as they come, widened where they are met.</summary>
    public required View KeyCache { get; init; }

    /// <summary>[B, Capacity, GV, DV], contiguous, of the type of <see cref="KeyCache"/>; none where <see cref="V"/> is.</summary>
    public required View ValueCache { get; init; }

    /// <summary>Position of each row's first new token, Int32 [B].</summary>
    public required View Positions { get; init; }

    /// <summary>New tokens of each row, Int32 [B].</summary>
    public required View Counts { get; init; }

    public required double Scale { get; init; }

    /// <summary>
    /// What a token sees of the tokens up to the last new one of its row; no documents. Blocks have a list for each token; positions in a cache are those of
    /// the row. A ring must hold the window and T − 1
    /// positions more, besides the sinks. Tokens of a prefix see each other where they come in one call.
    /// </summary>
    public required Visible Visible { get; init; }

    /// <summary>Running sums of log decays of the new tokens, [B, H, T] of the type of sums, contiguous, or none; see <see cref="AttentionArgs.Decay"/>.</summary>
    public View Decay { get; init; }

    /// <summary>Those of the tokens before, [B, H, Capacity], contiguous; the new ones are added.</summary>
    public View DecayCache { get; init; }

    /// <summary>See <see cref="AttentionArgs.SinkLogits"/>.</summary>
    public View SinkLogits { get; init; }

    /// <summary>See <see cref="AttentionArgs.Cap"/>.</summary>
    public double Cap { get; init; }

    /// <remarks>How full the cache is, is data: as if it were full. Of what is written to it only a few rows are new; a number for each row of q does not count.</remarks>
    public KernelCost Cost => new(
        2.0 * (Q.Count + Y.Count) * (Visible.Blocks.IsNone ? KeyCache.Layout[1] : Math.Min(KeyCache.Layout[1], (long)Visible.Blocks.Most * Visible.Blocks.KeySize)),
        Operands.Bytes(this with { KeyCache = default, ValueCache = default, DecayCache = default, Positions = default, Counts = default })
            + KernelCost.BytesOf(KeyCache) + KernelCost.BytesOf(ValueCache) + KernelCost.BytesOf(DecayCache));

    public void Check() => _ = new CachedAttentionShape(Name, this);

    public CachedAttentionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Q = visitor.Visit("q", Q, Access.Read),
            K = visitor.Visit("k", K, Access.Read),
            V = visitor.Visit("v", V, Access.Read),
            Y = visitor.Visit("y", Y, Access.Write),
            KeyCache = visitor.Visit("key cache", KeyCache, Access.Update),
            ValueCache = visitor.Visit("value cache", ValueCache, Access.Update),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            Visible = Visible.Visit(ref visitor),
            Decay = visitor.Visit("decay", Decay, Access.Read),
            DecayCache = visitor.Visit("decay cache", DecayCache, Access.Update),
            SinkLogits = visitor.Visit("sink logits", SinkLogits, Access.Read),
        };
}
