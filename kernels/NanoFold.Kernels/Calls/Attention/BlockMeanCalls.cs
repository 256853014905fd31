using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Means of blocks of tokens, what a block of keys or values is looked at by before it is chosen: y[c] is the mean of x[t] over the tokens of block c.
/// Of a block in which a document begins only the tokens of its last token's document count.
/// </summary>
/// <param name="X">[B, T, G, D], any strides whose last one is 1.</param>
/// <param name="Y">[B, T / size (rounded up), G, D], contiguous; a last block may have fewer tokens.</param>
/// <param name="Documents">Document of each token, Int32 [B, T], or none.</param>
/// <param name="Size">Tokens of a block.</param>
public readonly record struct BlockMeanCall(View X, View Y, View Documents, int Size) : IKernelCall<BlockMeanCall>
{
    public static string Name => "block-mean";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        BlockChecks.Means(Name, "y", Y, X, Size);
        RowCheck.OptionalVector(Name, "documents", Documents, DType.Int32, (long)X.Layout[0] * X.Layout[1]);
    }

    public BlockMeanCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Y = visitor.Visit("y", Y, Access.Write), Documents = visitor.Visit("documents", Documents, Access.Read) };
}

/// <summary>dx of <see cref="BlockMeanCall"/>: each token that counted gets its share.</summary>
/// <param name="DY">[B, T / size (rounded up), G, D].</param>
/// <param name="DX">[B, T, G, D], any strides whose last one is 1.</param>
/// <param name="Documents">Document of each token, Int32 [B, T], or none.</param>
/// <param name="Size">Tokens of a block.</param>
/// <param name="Accumulate">Whether dx is added to.</param>
public readonly record struct BlockMeanBackwardCall(View DY, View DX, View Documents, int Size, bool Accumulate) : IKernelCall<BlockMeanBackwardCall>
{
    public static string Name => "block-mean-backward";

    public KernelCost Cost => new(DX.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.Real(Name, "dx", DX);
        Checks.Writable(Name, "dx", DX);
        BlockChecks.Means(Name, "dy", DY, DX, Size);
        RowCheck.OptionalVector(Name, "documents", Documents, DType.Int32, (long)DX.Layout[0] * DX.Layout[1]);
    }

    public BlockMeanBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            DY = visitor.Visit("dy", DY, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(Accumulate)),
            Documents = visitor.Visit("documents", Documents, Access.Read),
        };
}

/// <summary>
/// The same while decoding: writes new rows to their places in a cache, and the means of the blocks that they complete. A mean is summed as
/// <see cref="BlockMeanCall"/> sums it, so that decoding chooses as the full pass does.
/// </summary>
public readonly record struct CachedBlockMeanCall : IKernelCall<CachedBlockMeanCall>
{
    public static string Name => "cached-block-mean";

    /// <summary>[B, T, G, D]: T new tokens, of which row b uses the first Counts[b].</summary>
    public required View X { get; init; }

    /// <summary>[B, Capacity, G, D], contiguous; position p lies in place p.</summary>
    public required View Cache { get; init; }

    /// <summary>[B, Capacity / size (rounded up), G, D], contiguous.</summary>
    public required View Means { get; init; }

    /// <summary>Position of each row's first new token, Int32 [B].</summary>
    public required View Positions { get; init; }

    /// <summary>New tokens of each row, Int32 [B].</summary>
    public required View Counts { get; init; }

    /// <summary>Tokens of a block.</summary>
    public required int Size { get; init; }

    /// <remarks>Of the cache only what is new is read.</remarks>
    public KernelCost Cost => new(X.Count, 4 * KernelCost.BytesOf(X));

    public void Check()
    {
        Checks.Real(Name, "x", X);
        AttentionChecks.Rank4(Name, "cache", Cache);
        AttentionChecks.Shape(Name, "x", X, X.Type, [X.Layout[0], X.Layout[1], X.Layout[2], X.Layout[3]]);
        AttentionChecks.Shape(Name, "cache", Cache, X.Type, [X.Layout[0], Cache.Layout[1], X.Layout[2], X.Layout[3]]);
        AttentionChecks.Contiguous(Name, "cache", Cache);
        BlockChecks.Means(Name, "means", Means, Cache, Size);
        Checks.Integers(Name, "positions", Positions, X.Layout[0]);
        Checks.Integers(Name, "counts", Counts, X.Layout[0]);
    }

    public CachedBlockMeanCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Cache = visitor.Visit("cache", Cache, Access.Update),
            Means = visitor.Visit("means", Means, Access.Update),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };
}

/// <summary>What calls over blocks of tokens ask of their views.</summary>
internal static class BlockChecks
{
    public static int Blocks(int tokens, int size) => (tokens + size - 1) / size;

    /// <summary>Means of the blocks of x.</summary>
    public static void Means(string op, string name, in View means, in View x, int size)
    {
        if (size < 1)
        {
            Checks.Throw(op, $"blocks of {size} tokens, expected at least 1");
        }

        AttentionChecks.Rank4(op, "x", x);
        AttentionChecks.Shape(op, name, means, x.Type, [x.Layout[0], Blocks(x.Layout[1], size), x.Layout[2], x.Layout[3]]);
        AttentionChecks.Contiguous(op, name, means);
        if (x.Layout[-1] != 1 && x.Layout.Stride(3) != 1)
        {
            Checks.Throw(op, $"the last stride of x must be 1, got {x.Layout.Stride(3)}");
        }
    }

    /// <summary>Lists [B, L, rows, n] of at most n blocks, and how long they are.</summary>
    public static void Lists(string op, in View lists, in View lengths, int batch, int perRow, int rows)
    {
        AttentionChecks.Rank4(op, "lists", lists);
        AttentionChecks.Shape(op, "lists", lists, DType.Int32, [batch, perRow, rows, lists.Layout[3]]);
        AttentionChecks.Contiguous(op, "lists", lists);
        AttentionChecks.Shape(op, "lengths", lengths, DType.Int32, [batch, perRow, rows]);
        AttentionChecks.Contiguous(op, "lengths", lengths);
    }
}
