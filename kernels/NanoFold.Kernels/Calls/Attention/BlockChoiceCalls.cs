using NanoFold.Kernels.Memory;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Chooses blocks of keys for each query by the means of their keys. Without log-sum-exps for each head by itself, as in a mixture of block attention
/// (arXiv 2502.13189): its own block, and of those before it the ones with the largest q · mean. With them for each key head, as in native sparse attention
/// (arXiv 2502.11089): the first block, the one before its own and its own, then the ones with the largest probability exp(scale · q · mean − lse),
/// averaged over the heads that share the key head. Among equals the smaller block wins.
/// </summary>
/// <remarks>
/// Where there are documents, a block belongs to the document of its last token; a query chooses among blocks of its own document, and the first block is
/// the one in which that begins.
/// </remarks>
public readonly record struct BlockChoiceCall : IKernelCall<BlockChoiceCall>
{
    public static string Name => "block-choice";

    /// <summary>[B, T, H, D].</summary>
    public required View Q { get; init; }

    /// <summary>Means of the keys' blocks, [B, N, G, D].</summary>
    public required View Means { get; init; }

    /// <summary>Of the scaled scores of the means that a query sees, [B, H, T]; or none.</summary>
    public View LogSumExp { get; init; }

    /// <summary>Gets the blocks, ascending, −1 after the last: Int32 [B, H or G, T, n].</summary>
    public required View Lists { get; init; }

    /// <summary>Gets how many there are, Int32 [B, H or G, T].</summary>
    public required View Lengths { get; init; }

    /// <summary>Tokens of a block.</summary>
    public required int Size { get; init; }

    public double Scale { get; init; }

    /// <summary>Document of each token, Int32 [B, T], or none.</summary>
    public View Documents { get; init; }

    /// <summary>While decoding, the position of each row's first query, Int32 [B]; none for 0.</summary>
    public View Positions { get; init; }

    /// <summary>While decoding, the queries of each row, Int32 [B]; the lists of the rest are empty.</summary>
    public View Counts { get; init; }

    /// <remarks>Positions are data: as if all means were seen.</remarks>
    public KernelCost Cost => new(2.0 * Q.Layout[2] * Q.Layout[3] * BlockPairs.Before(Q.Layout[0], Q.Layout[1], Means.Layout[1], Size, Documents, Positions), Operands.Bytes(this));

    public void Check()
    {
        AttentionChecks.Rank4(Name, "q", Q);
        AttentionChecks.Rank4(Name, "means", Means);
        int batch = Q.Layout[0], time = Q.Layout[1], heads = Q.Layout[2], depth = Q.Layout[3], keyHeads = Means.Layout[2];
        AttentionChecks.Shape(Name, "q", Q, Q.Type, [batch, time, heads, depth]);
        AttentionChecks.Shape(Name, "means", Means, Q.Type, [batch, Means.Layout[1], keyHeads, depth]);
        AttentionChecks.Grouping(Name, heads, keyHeads);
        BlockChecks.Lists(Name, Lists, Lengths, batch, LogSumExp.IsNone ? heads : keyHeads, time);
        RowCheck.OptionalVector(Name, "log-sum-exp", LogSumExp, Q.Type.Sum(), (long)batch * heads * time);
        RowCheck.OptionalVector(Name, "documents", Documents, DType.Int32, (long)batch * time);
        RowCheck.OptionalVector(Name, "positions", Positions, DType.Int32, batch);
        RowCheck.OptionalVector(Name, "counts", Counts, DType.Int32, batch);
        if (Size < 1 || (Positions.IsNone && (long)Means.Layout[1] * Size < time) || Positions.IsNone != Counts.IsNone)
        {
            Checks.Throw(Name, $"{Means.Layout[1]} means of {Size} tokens do not fit {time} queries, or counts come without positions");
        }
    }

    public BlockChoiceCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Q = visitor.Visit("q", Q, Access.Read),
            Means = visitor.Visit("means", Means, Access.Read),
            LogSumExp = visitor.Visit("log-sum-exp", LogSumExp, Access.Read),
            Lists = visitor.Visit("lists", Lists, Access.Write),
            Lengths = visitor.Visit("lengths", Lengths, Access.Write),
            Documents = visitor.Visit("documents", Documents, Access.Read),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };
}

/// <summary>
/// Lists of blocks by position alone (Sparse Transformer, arXiv 1904.10509): a query in block i sees block j ≤ i where i − j &lt; local or
/// (i − j) mod stride = 0.
/// </summary>
public readonly record struct BlockPatternCall : IKernelCall<BlockPatternCall>
{
    public static string Name => "block-pattern";

    /// <summary>Gets the blocks, ascending, −1 after the last: Int32 [B, 1, R, n] with n at least <see cref="Most"/>; B is 1 without positions.</summary>
    public required View Lists { get; init; }

    /// <summary>Gets how many there are, Int32 [B, 1, R].</summary>
    public required View Lengths { get; init; }

    /// <summary>Tokens of a block of keys.</summary>
    public required int Size { get; init; }

    /// <summary>Queries that share a list; row r is that of query r · QuerySize.</summary>
    public required int QuerySize { get; init; }

    public required int Local { get; init; }

    public required int Stride { get; init; }

    /// <summary>While decoding, the position of each row's first query, Int32 [B]; none for 0.</summary>
    public View Positions { get; init; }

    public KernelCost Cost => new(0, Operands.Bytes(this));

    /// <summary>Blocks of the longest list among those of the first <paramref name="blocks"/> blocks.</summary>
    public static int Most(int blocks, int local, int stride) => blocks <= local ? blocks : local + ((blocks - 1) / stride) - ((local - 1) / stride);

    public void Check()
    {
        AttentionChecks.Rank4(Name, "lists", Lists);
        BlockChecks.Lists(Name, Lists, Lengths, Positions.IsNone ? 1 : Lists.Layout[0], 1, Lists.Layout[2]);
        RowCheck.OptionalVector(Name, "positions", Positions, DType.Int32, Lists.Layout[0]);
        if (Size < 1 || QuerySize < 1 || Local < 1 || Stride < 1)
        {
            Checks.Throw(Name, $"blocks of {Size} for {QuerySize} queries, {Local} local and every {Stride}: expected at least 1");
        }
    }

    public BlockPatternCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Lists = visitor.Visit("lists", Lists, Access.Write),
            Lengths = visitor.Visit("lengths", Lengths, Access.Write),
            Positions = visitor.Visit("positions", Positions, Access.Read),
        };
}

/// <summary>How many pairs of a query and a block's mean there are to score.</summary>
internal static class BlockPairs
{
    /// <summary>Pairs of a query and a block before its own, of all rows.</summary>
    public static double Before(int batch, int time, int blocks, int size, in View documents, in View positions)
        => Count(batch, time, blocks, size, documents, positions, 0);

    /// <summary>Pairs of a query and a block that ends no later than it, of all rows.</summary>
    public static double Ended(int batch, int time, int blocks, int size, in View documents, in View positions)
        => Count(batch, time, blocks, size, documents, positions, 1);

    private static unsafe double Count(int batch, int time, int blocks, int size, in View documents, in View positions, int ahead)
    {
        if (!positions.IsNone)
        {
            return (double)batch * time * blocks;
        }

        int* document = documents.Buffer is NativeBuffer ? documents.Ints : null;
        double pairs = 0;
        for (int b = 0; b < batch; b++)
        {
            int start = 0;
            for (int t = 0; t < time; t++)
            {
                start = document is not null && t > 0 && document[t] != document[t - 1] ? t : start;
                pairs += Math.Max(0, ((t + ahead) / size) - (start / size));
            }

            document += document is null ? 0 : time;
        }

        return pairs;
    }
}
