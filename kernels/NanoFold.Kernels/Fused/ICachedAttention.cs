using NanoFold.Kernels.Fused.Attention;

namespace NanoFold.Kernels.Fused;

/// <summary>
/// Attention of decoding: appends the keys and values of new tokens to a cache of fixed capacity and attends over it.
/// Position p of a sequence lies in slot p while p &lt; Sinks, otherwise in slot Sinks + (p − Sinks) mod (Capacity − Sinks): a ring where the
/// capacity is below the context (windows), plain where it is not.
/// </summary>
public interface ICachedAttention
{
    void Forward(in CachedAttentionArgs args);
}

public readonly ref struct CachedAttentionArgs
{
    /// <summary>[B, T, H, D]: T new tokens, of which row b uses the first Counts[b].</summary>
    public required View Q { get; init; }

    /// <summary>[B, T, G, D].</summary>
    public required View K { get; init; }

    /// <summary>[B, T, G, D].</summary>
    public required View V { get; init; }

    /// <summary>[B, T, H, D]; rows behind Counts[b] become 0.</summary>
    public required View Y { get; init; }

    /// <summary>[B, Capacity, G, D], contiguous.</summary>
    public required View KeyCache { get; init; }

    public required View ValueCache { get; init; }

    /// <summary>Position of each row's first new token, Int32 [B].</summary>
    public required View Positions { get; init; }

    /// <summary>New tokens of each row, Int32 [B].</summary>
    public required View Counts { get; init; }

    public required double Scale { get; init; }

    /// <summary>
    /// What a token sees of the tokens up to the last new one of its row; no documents and no blocks. A ring must hold the window and T − 1
    /// positions more, besides the sinks. Tokens of a prefix see each other where they come in one call.
    /// </summary>
    public required Visible Visible { get; init; }

    /// <summary>Keys kept per row by score, 0 for all (top-k attention).</summary>
    public int TopK { get; init; }
}
