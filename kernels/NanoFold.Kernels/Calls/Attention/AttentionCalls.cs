using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>What all calls of full-pass attention have. Rank-4 views with any strides whose last one is 1.</summary>
public readonly record struct AttentionArgs
{
    /// <summary>[B, T, H, D].</summary>
    public required View Q { get; init; }

    /// <summary>[B, S, G, D].</summary>
    public required View K { get; init; }

    /// <summary>[B, S, GV, DV]; GV, the heads of values, divides G, and query head h takes of value head h / (H / GV).</summary>
    public required View V { get; init; }

    /// <summary>[B, T, H, DV]; 0 where a query sees no key.</summary>
    public required View Y { get; init; }

    /// <summary>Log of the sum of exponentials of each row's scaled scores, [B, H, T], contiguous.</summary>
    public required View LogSumExp { get; init; }

    public required double Scale { get; init; }

    public required Visible Visible { get; init; }

    /// <summary>
    /// Running sums c of log decays, [B, H, S] of the type of sums, contiguous, or none: the score of the query at position t and the key at s is
    /// scale · q · k + c_t − c_s (forgetting attention, arXiv 2503.02130).
    /// </summary>
    public View Decay { get; init; }

    /// <summary>A score for each head that joins every row's softmax and has no value, [H] of q's type, contiguous, or none (gpt-oss).</summary>
    public View SinkLogits { get; init; }

    /// <summary>c, at which scaled products level off, c · tanh(scale · q · k / c) (Gemma 2); 0 for none. Not with decays.</summary>
    public double Cap { get; init; }

    /// <summary>Pairs of a query and a key that is visible, of all heads.</summary>
    internal double Pairs => VisiblePairs.Count(Visible, Q.Layout[0], Q.Layout[2], Q.Layout[1], K.Layout[1]);

    /// <param name="visitor">Sees the views.</param>
    /// <param name="result">What becomes of y and the log-sum-exps: written forward, read backward.</param>
    internal AttentionArgs Visit<TVisitor>(ref TVisitor visitor, Access result)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Q = visitor.Visit("q", Q, Access.Read),
            K = visitor.Visit("k", K, Access.Read),
            V = visitor.Visit("v", V, Access.Read),
            Y = visitor.Visit("y", Y, result),
            LogSumExp = visitor.Visit("log-sum-exp", LogSumExp, result),
            Visible = Visible.Visit(ref visitor),
            Decay = visitor.Visit("decay", Decay, Access.Read),
            SinkLogits = visitor.Visit("sink logits", SinkLogits, Access.Read),
        };
}

/// <summary>What the backward calls of attention have besides; a gradient whose view is none is left out.</summary>
public readonly record struct AttentionGradients
{
    public required View DY { get; init; }

    public required View DQ { get; init; }

    public required View DK { get; init; }

    public required View DV { get; init; }

    public bool AccumulateQ { get; init; }

    public bool AccumulateK { get; init; }

    public bool AccumulateV { get; init; }

    /// <summary>As <see cref="AttentionArgs.Decay"/>.</summary>
    public View DDecay { get; init; }

    public bool AccumulateDecay { get; init; }

    /// <summary>As <see cref="AttentionArgs.SinkLogits"/>, of the type of sums.</summary>
    public View DSinkLogits { get; init; }

    public bool AccumulateSinkLogits { get; init; }

    /// <summary>Bytes as asked for, as a Float32 view; none where 0 bytes were asked for.</summary>
    public required View Scratch { get; init; }

    /// <summary>FLOPs of a pair: the scores again and dP, then those asked for of dQ, dK and dV.</summary>
    internal double PairFlops(int depth, int valueDepth)
        => (2.0 * depth * (1 + (DQ.IsNone ? 0 : 1) + (DK.IsNone ? 0 : 1))) + (2.0 * valueDepth * (1 + (DV.IsNone ? 0 : 1)));

    internal AttentionGradients Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            DY = visitor.Visit("dy", DY, Access.Read),
            DQ = visitor.Visit("dq", DQ, Operands.Result(AccumulateQ)),
            DK = visitor.Visit("dk", DK, Operands.Result(AccumulateK)),
            DV = visitor.Visit("dv", DV, Operands.Result(AccumulateV)),
            DDecay = visitor.Visit("ddecay", DDecay, Operands.Result(AccumulateDecay)),
            DSinkLogits = visitor.Visit("dsink logits", DSinkLogits, Operands.Result(AccumulateSinkLogits)),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>
/// Attention that never holds T × T: y = softmax(scale · q kᵀ) v over the visible keys (FlashAttention's online softmax, arXiv 2205.14135), with decays,
/// a cap and sink logits where there are some. Query head h reads key head h / (H / G) and value head h / (H / GV).
/// </summary>
public readonly record struct AttentionCall(AttentionArgs Args) : IKernelCall<AttentionCall>
{
    public static string Name => "fused-attention";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(2 * Args.Pairs * (Args.Q.Layout[3] + Args.V.Layout[3]), Operands.Bytes(this));

    public void Check() => _ = new AttentionShape(Name, Args);

    public AttentionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Write));
}

/// <summary>dq, dk, dv of <see cref="AttentionCall"/> from dy, y and the saved log-sum-exp.</summary>
public readonly record struct AttentionBackwardCall(AttentionArgs Args, AttentionGradients Gradients) : IKernelCall<AttentionBackwardCall>
{
    public static string Name => "fused-attention-backward";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(Gradients.PairFlops(Args.Q.Layout[3], Args.V.Layout[3]) * Args.Pairs, Operands.Bytes(this));

    public void Check() => new AttentionShape(Name, Args).Check(Name, Gradients);

    public AttentionBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Read), Gradients.Visit(ref visitor));
}
