using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// What teaches an indexer (DeepSeek-V3.2, arXiv 2512.02556): loss = factor · mean over [B, T] of KL(p ‖ softmax of the index scores) / MicroBatchCount, over the
/// keys that lists name or over all that are visible. p is the softmax of scale · q · k over the same keys, averaged over the heads, a constant. Index scores are
/// those of <see cref="SelectKeysCall"/>. The gradients of the indexer's operands are made on the way, so that nothing is kept for each pair; they have the
/// <see cref="StepSlot.LossScale"/> in them. The loss is also added to <see cref="Term"/>.
/// </summary>
public readonly record struct IndexLossCall : IKernelCall<IndexLossCall>
{
    public static string Name => "index-loss";

    public required StepState State { get; init; }

    /// <summary>The slot in which the loss is added up, or none.</summary>
    public required StepSlot Term { get; init; }

    /// <summary>[B, T, I, E].</summary>
    public required View IndexQ { get; init; }

    /// <summary>[B, T, 1, E].</summary>
    public required View IndexK { get; init; }

    /// <summary>[B, T, I].</summary>
    public required View Weights { get; init; }

    /// <summary>[B, T, H, D].</summary>
    public required View Q { get; init; }

    /// <summary>[B, T, G, D].</summary>
    public required View K { get; init; }

    /// <summary>Lists [B, 1, T, n] that all heads share; without lists all that is visible counts.</summary>
    public required KeptKeys Kept { get; init; }

    public required double IndexScale { get; init; }

    public required double Scale { get; init; }

    public required double Factor { get; init; }

    public required Visible Visible { get; init; }

    /// <summary>[1], of the type of sums.</summary>
    public required View Loss { get; init; }

    /// <summary>Gradients of the loss, contiguous, in the shapes of their operands.</summary>
    public required View DIndexQ { get; init; }

    public required View DIndexK { get; init; }

    public required View DWeights { get; init; }

    /// <summary>Bytes as asked for, as a Float32 view.</summary>
    public required View Scratch { get; init; }

    public KernelCost Cost
    {
        get
        {
            double rows = (double)Q.Layout[0] * Q.Layout[1];
            double pairs = VisiblePairs.Count(Visible, Q.Layout[0], 1, Q.Layout[1], K.Layout[1], Kept.Lists.IsNone ? K.Layout[1] : (int)Math.Min(K.Layout[1], (long)Kept.Lists.Layout[3] * Kept.KeySize));
            return new((pairs * ((2.0 * Q.Layout[2] * Q.Layout[3]) + (6.0 * IndexQ.Layout[2] * IndexQ.Layout[3]))) + rows, Operands.Bytes(this));
        }
    }

    public void Check()
    {
        Checks.State(Name, State);
        AttentionChecks.Rank4(Name, "q", Q);
        AttentionChecks.Rank4(Name, "k", K);
        AttentionChecks.Rank4(Name, "index q", IndexQ);
        (int batch, int time, int heads) = (Q.Layout[0], Q.Layout[1], Q.Layout[2]);
        Checks.Real(Name, "q", Q);
        AttentionChecks.Shape(Name, "q", Q, Q.Type, [batch, time, heads, Q.Layout[3]]);
        AttentionChecks.Shape(Name, "k", K, Q.Type, [batch, time, K.Layout[2], Q.Layout[3]]);
        AttentionChecks.Grouping(Name, heads, K.Layout[2]);
        ReadOnlySpan<int> queries = [batch, time, IndexQ.Layout[2], IndexQ.Layout[3]];
        ReadOnlySpan<int> keys = [batch, time, 1, IndexQ.Layout[3]], weights = [batch, time, IndexQ.Layout[2]];
        AttentionChecks.Shape(Name, "index q", IndexQ, Q.Type, queries);
        AttentionChecks.Shape(Name, "index k", IndexK, Q.Type, keys);
        AttentionChecks.Shape(Name, "weights", Weights, Q.Type, weights);
        Gradient("d index q", DIndexQ, queries);
        Gradient("d index k", DIndexK, keys);
        Gradient("d weights", DWeights, weights);
        AttentionChecks.Shape(Name, "loss", Loss, Q.Type.Sum(), [1]);
        KeyListChecks.Visible(Name, Visible, batch, heads, time, time, default, default);
        if (!Kept.Lists.IsNone)
        {
            AttentionChecks.Shape(Name, "kept", Kept.Lists, DType.Int32, [batch, 1, time, Kept.Lists.Layout[-1]]);
            AttentionChecks.Contiguous(Name, "kept", Kept.Lists);
        }
    }

    public IndexLossCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            IndexQ = visitor.Visit("index q", IndexQ, Access.Read),
            IndexK = visitor.Visit("index k", IndexK, Access.Read),
            Weights = visitor.Visit("weights", Weights, Access.Read),
            Q = visitor.Visit("q", Q, Access.Read),
            K = visitor.Visit("k", K, Access.Read),
            Kept = Kept.Visit(ref visitor),
            Visible = Visible.Visit(ref visitor),
            Loss = visitor.Visit("loss", Loss, Access.Write),
            DIndexQ = visitor.Visit("d index q", DIndexQ, Access.Write),
            DIndexK = visitor.Visit("d index k", DIndexK, Access.Write),
            DWeights = visitor.Visit("d weights", DWeights, Access.Write),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };

    private void Gradient(string name, in View view, ReadOnlySpan<int> shape)
    {
        AttentionChecks.Shape(Name, name, view, Q.Type, shape);
        AttentionChecks.Contiguous(Name, name, view);
    }
}

/// <summary>dx = dloss · x (+ dx), x a gradient that <see cref="IndexLossCall"/> made.</summary>
public readonly record struct IndexLossBackwardCall(View X, View DLoss, View DX, bool Accumulate) : IKernelCall<IndexLossBackwardCall>
{
    public static string Name => "index-loss-backward";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        AttentionChecks.Contiguous(Name, "x", X);
        Checks.Same(Name, "dx", DX, X);
        AttentionChecks.Contiguous(Name, "dx", DX);
        AttentionChecks.Shape(Name, "dloss", DLoss, X.Type.Sum(), [1]);
    }

    public IndexLossBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            DLoss = visitor.Visit("dloss", DLoss, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(Accumulate)),
        };
}
