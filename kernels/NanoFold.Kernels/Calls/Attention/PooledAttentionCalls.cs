using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Attention over means of blocks of keys and values, the compressed branch of native sparse attention (arXiv 2502.11089): query t sees block c where
/// (c + 1) · size − 1 ≤ t. Where it sees none y is 0. With documents a block belongs to the document of its last token and is seen by that alone.
/// </summary>
/// <param name="Args">k [B, N, G, D] and v [B, N, G, DV] are means; <see cref="AttentionArgs.Visible"/> is the default.</param>
/// <param name="Blocks">What a mean stands for, and where queries stand.</param>
public readonly record struct PooledAttentionCall(AttentionArgs Args, PooledBlocks Blocks) : IKernelCall<PooledAttentionCall>
{
    public static string Name => "pooled-attention";

    public KernelCost Cost => new(2 * Blocks.Pairs(Args) * (Args.Q.Layout[3] + Args.V.Layout[3]), Operands.Bytes(this));

    public void Check() => Blocks.Check(Name, new AttentionShape(Name, Args), Args.Visible);

    public PooledAttentionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Write), Blocks.Visit(ref visitor));
}

/// <summary>dq, dk, dv of <see cref="PooledAttentionCall"/> from dy, y and the saved log-sum-exp.</summary>
public readonly record struct PooledAttentionBackwardCall(AttentionArgs Args, PooledBlocks Blocks, AttentionGradients Gradients) : IKernelCall<PooledAttentionBackwardCall>
{
    public static string Name => "pooled-attention-backward";

    public KernelCost Cost => new(Gradients.PairFlops(Args.Q.Layout[3], Args.V.Layout[3]) * Blocks.Pairs(Args), Operands.Bytes(this));

    public void Check()
    {
        var shape = new AttentionShape(Name, Args);
        Blocks.Check(Name, shape, Args.Visible);
        shape.Check(Name, Gradients);
    }

    public PooledAttentionBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Read), Blocks.Visit(ref visitor), Gradients.Visit(ref visitor));
}

/// <summary>What means of keys stand for in pooled attention.</summary>
public readonly struct PooledBlocks
{
    /// <summary>Tokens of a block.</summary>
    public required int Size { get; init; }

    /// <summary>Document of each token, Int32 [B, T], or none.</summary>
    public View Documents { get; init; }

    /// <summary>While decoding, the position of each row's first query, Int32 [B]; none for 0.</summary>
    public View Positions { get; init; }

    /// <summary>While decoding, the queries of each row, Int32 [B]; y is 0 for the rest.</summary>
    public View Counts { get; init; }

    /// <summary>Pairs of a query and a mean that it sees, of all heads; positions are data: as if all were seen.</summary>
    internal double Pairs(in AttentionArgs args)
        => args.Q.Layout[2] * BlockPairs.Ended(args.Q.Layout[0], args.Q.Layout[1], args.K.Layout[1], Size, Documents, Positions);

    internal PooledBlocks Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Documents = visitor.Visit("documents", Documents, Access.Read),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };

    internal void Check(string op, in AttentionShape shape, in Visible visible)
    {
        if (!shape.IsPlain || visible.Kind != VisibleKind.Full || visible.Window > 0 || !visible.Documents.IsNone || !visible.Blocks.IsNone)
        {
            Checks.Throw(op, "what is seen follows from the blocks; nothing else can be asked for");
        }

        RowCheck.OptionalVector(op, "documents", Documents, DType.Int32, (long)shape.Batch * shape.Time);
        RowCheck.OptionalVector(op, "positions", Positions, DType.Int32, shape.Batch);
        RowCheck.OptionalVector(op, "counts", Counts, DType.Int32, shape.Batch);
        if (Size < 1 || Positions.IsNone != Counts.IsNone)
        {
            Checks.Throw(op, $"blocks of {Size} tokens, expected at least 1; counts come with positions");
        }
    }
}
