using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Which keys each query keeps of those that it sees: the largest scores, scale · q · k, the smaller index winning among equals. Rows of scores are made
/// block by block and never held together. With <see cref="Weights"/> it is an indexer (DeepSeek-V3.2, arXiv 2512.02556): score = scale · Σ_h w_h ReLU(q_h · k),
/// one list for all heads. It has no gradient.
/// </summary>
public readonly record struct SelectKeysCall : IKernelCall<SelectKeysCall>
{
    public static string Name => "select-keys";

    /// <summary>[B, T, H, D].</summary>
    public required View Q { get; init; }

    /// <summary>[B, S, G, D]; G is 1 with weights.</summary>
    public required View K { get; init; }

    /// <summary>[B, T, H], or none: then every head keeps keys of its own.</summary>
    public View Weights { get; init; }

    /// <summary>Gets the keys kept, ascending, −1 after the last; Int32 [B, H, T, n], or [B, 1, T, n] with weights. With blocks their numbers.</summary>
    public required View Kept { get; init; }

    public required double Scale { get; init; }

    /// <summary>Any visibility but a block table.</summary>
    public required Visible Visible { get; init; }

    /// <summary>Share of the softmax's weight that the keys kept must reach together, no more of them than it takes; 0 for n of them.</summary>
    public double Mass { get; init; }

    /// <summary>Keys kept at least where the share is reached by fewer.</summary>
    public int Floor { get; init; }

    /// <summary>
    /// Keys of a block where blocks are kept, 1 for keys: a block's score is the largest that is visible, and the query's own is always among the n.
    /// </summary>
    public int KeySize { get; init; }

    /// <summary>Decoding: position of each row's first query, Int32 [B], where k is a cache whose slots are positions; otherwise none.</summary>
    public View Positions { get; init; }

    /// <summary>Decoding: queries of each row, Int32 [B].</summary>
    public View Counts { get; init; }

    /// <remarks>How full a cache is, is data: as if it were full.</remarks>
    public KernelCost Cost => new(
        (Weights.IsNone ? 2.0 : 2 + (2.0 / Q.Layout[3])) * Q.Layout[3] * (Positions.IsNone
            ? VisiblePairs.Count(Visible, Q.Layout[0], Q.Layout[2], Q.Layout[1], K.Layout[1])
            : (double)Kept.Layout[0] * Q.Layout[2] * Q.Layout[1] * K.Layout[1]),
        Operands.Bytes(this));

    public void Check()
    {
        AttentionChecks.Rank4(Name, "q", Q);
        AttentionChecks.Rank4(Name, "k", K);
        AttentionChecks.Rank4(Name, "kept", Kept);
        (int batch, int time, int heads, int depth) = (Q.Layout[0], Q.Layout[1], Q.Layout[2], Q.Layout[3]);
        Checks.Real(Name, "q", Q);
        AttentionChecks.Shape(Name, "q", Q, Q.Type, [batch, time, heads, depth]);
        AttentionChecks.Shape(Name, "k", K, Q.Type, [batch, K.Layout[1], Weights.IsNone ? K.Layout[2] : 1, depth]);
        AttentionChecks.Grouping(Name, heads, K.Layout[2]);
        if (!Weights.IsNone)
        {
            AttentionChecks.Shape(Name, "weights", Weights, Q.Type, [batch, time, heads]);
        }

        AttentionChecks.Shape(Name, "kept", Kept, DType.Int32, [batch, Weights.IsNone ? heads : 1, time, Kept.Layout[3]]);
        AttentionChecks.Contiguous(Name, "kept", Kept);
        KeyListChecks.Visible(Name, Visible, batch, heads, time, K.Layout[1], Positions, Counts);
        if (KeySize < 1 || Floor < 0 || !(Mass >= 0))
        {
            Checks.Throw(Name, $"blocks of {KeySize} keys, a floor of {Floor} and a share of {Mass}, expected at least 1, 0 and 0");
        }

        if (KeySize > 1 && (Visible.Window > 0 || Mass > 0))
        {
            Checks.Throw(Name, "blocks are kept by number among all keys before a query, a window or a share of the weight is not for them");
        }
    }

    public SelectKeysCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Q = visitor.Visit("q", Q, Access.Read),
            K = visitor.Visit("k", K, Access.Read),
            Weights = visitor.Visit("weights", Weights, Access.Read),
            Kept = visitor.Visit("kept", Kept, Access.Write),
            Visible = Visible.Visit(ref visitor),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };
}
