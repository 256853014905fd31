namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Which keys a query sees. Query t (position t − T + S of S keys, so the last query sees the last key) sees j when
/// j ≤ t and (Window = 0, or t − Window &lt; j, or j &lt; Sinks), and both belong to one document where documents are given.
/// </summary>
public readonly struct AttentionMask
{
    /// <summary>False: every key is visible and nothing else here counts.</summary>
    public bool Causal { get; init; }

    /// <summary>Keys seen back from and including the query's own; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>First positions that stay visible outside the window (StreamingLLM).</summary>
    public int Sinks { get; init; }

    /// <summary>Document of each token, Int32 [B, T], or none.</summary>
    public View Documents { get; init; }
}
