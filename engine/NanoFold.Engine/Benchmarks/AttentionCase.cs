using NanoFold.Kernels.Fused.Attention;

namespace NanoFold.Engine.Benchmarks;

/// <summary>One shape of causal attention: q [B, T, H, D], k and v [B, T, G, D].</summary>
/// <param name="Context">T.</param>
/// <param name="Heads">H, a multiple of G.</param>
/// <param name="KvHeads">G.</param>
/// <param name="HeadDim">D.</param>
/// <param name="Batch">B.</param>
/// <param name="Window">Keys back from and including the query's own, 0 for all.</param>
public sealed record AttentionCase(int Context, int Heads, int KvHeads, int HeadDim, int Batch, int Window = 0)
{
    // Two products of 2 · D a pair forward; backward five.
    private const int FlopsPerPairAndElement = 14;

    /// <summary>Elements of q.</summary>
    public long Elements => (long)Batch * Context * Heads * HeadDim;

    /// <summary>FLOPs forward (4 · D) and backward (10 · D) of the pairs that the mask leaves.</summary>
    public double Flops => (double)FlopsPerPairAndElement * VisiblePairs.Count(new VisibleRule(0, Window, 0), Context, Context) * Batch * Heads * HeadDim;
}
