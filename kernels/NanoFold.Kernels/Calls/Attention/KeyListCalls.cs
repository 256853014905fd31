using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Attention;

/// <summary>Lists of the keys that queries attend to.</summary>
/// <param name="Lists">
/// Keys in ascending order, −1 after the last, each one that the query sees: Int32 [B, L, T, n] with L dividing the query heads; head h reads list h / (H / L).
/// </param>
/// <param name="KeySize">1, or keys of a block where the lists are of blocks: of these the query attends to what it sees.</param>
/// <param name="Positions">Decoding: position of each row's first query, Int32 [B], where k and v are caches whose slots are positions; otherwise none.</param>
/// <param name="Counts">Decoding: queries of each row, Int32 [B]; results of others are 0.</param>
public readonly record struct KeptKeys(View Lists, int KeySize, View Positions, View Counts)
{
    /// <summary>Pairs of a query and a key that it attends to, of all heads: an upper bound where what is seen is data.</summary>
    internal double Pairs(in AttentionArgs args)
    {
        int queries = args.Q.Layout[1], keys = args.K.Layout[1], most = (int)Math.Min(keys, (long)Lists.Layout[3] * KeySize);
        double heads = (double)Lists.Layout[0] * args.Q.Layout[2];
        if (!Positions.IsNone)
        {
            return heads * queries * most;
        }

        double pairs = VisiblePairs.Count(args.Visible, args.Q.Layout[0], args.Q.Layout[2], queries, keys, most);
        return KeySize == 1 || args.Visible.Kind != VisibleKind.Causal ? pairs : Math.Min(pairs, heads * InBlocks(keys - queries, keys));
    }

    internal AttentionShape Check(string op, in AttentionArgs args)
    {
        var shape = new AttentionShape(op, args);
        AttentionChecks.Rank4(op, "kept", Lists);
        AttentionChecks.Shape(op, "kept", Lists, DType.Int32, [shape.Batch, Lists.Layout[1], shape.Time, Lists.Layout[3]]);
        AttentionChecks.Contiguous(op, "kept", Lists);
        AttentionChecks.Grouping(op, shape.Heads, Lists.Layout[1]);
        if (!shape.IsPlain)
        {
            Checks.Throw(op, "decays, sink logits and values with heads of their own are not for listed keys");
        }

        KeyListChecks.Visible(op, args.Visible, shape.Batch, shape.Heads, shape.Time, shape.Keys, Positions, Counts);
        if (KeySize < 1)
        {
            Checks.Throw(op, $"blocks of {KeySize} keys, expected at least 1");
        }

        if (!args.Decay.IsNone || !args.SinkLogits.IsNone)
        {
            Checks.Throw(op, "decay and sink logits are not for lists of keys");
        }

        return shape;
    }

    internal KeptKeys Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Lists = visitor.Visit("kept", Lists, Access.Read),
            Positions = visitor.Visit("positions", Positions, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
        };

    // Of its own block a query sees a part.
    private long InBlocks(int first, int keys)
    {
        long pairs = 0;
        for (int t = first; t < keys; t++)
        {
            pairs += (Math.Min(t / KeySize, Lists.Layout[3] - 1L) * KeySize) + (t % KeySize) + 1;
        }

        return pairs;
    }
}

/// <summary>Attention over the keys that lists name: y = softmax(scale · q kᵀ) v over those, 0 where a list is empty.</summary>
public readonly record struct KeyListAttentionCall(AttentionArgs Args, KeptKeys Kept) : IKernelCall<KeyListAttentionCall>
{
    public static string Name => "key-list-attention";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(2 * Kept.Pairs(Args) * (Args.Q.Layout[3] + Args.V.Layout[3]), Operands.Bytes(this));

    public void Check() => Kept.Check(Name, Args);

    public KeyListAttentionCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Write), Kept.Visit(ref visitor));
}

/// <summary>dq, dk, dv of <see cref="KeyListAttentionCall"/>, from dy, y and the saved log-sum-exp. Not while decoding.</summary>
public readonly record struct KeyListAttentionBackwardCall(AttentionArgs Args, KeptKeys Kept, AttentionGradients Gradients) : IKernelCall<KeyListAttentionBackwardCall>
{
    public static string Name => "key-list-attention-backward";

    public static bool HasComposedPath => true;

    public KernelCost Cost => new(Gradients.PairFlops(Args.Q.Layout[3], Args.V.Layout[3]) * Kept.Pairs(Args), Operands.Bytes(this));

    public void Check()
    {
        Kept.Check(Name, Args).Check(Name, Gradients);
        if (!Kept.Positions.IsNone)
        {
            Checks.Throw(Name, "decoding has no gradient");
        }
    }

    public KeyListAttentionBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(Args.Visit(ref visitor, Access.Read), Kept.Visit(ref visitor), Gradients.Visit(ref visitor));
}

internal static class KeyListChecks
{
    /// <exception cref="ArgumentException">What queries see, or where they stand, does not fit.</exception>
    public static void Visible(string op, in Visible visible, int batch, int heads, int queries, int keys, in View positions, in View counts)
    {
        if (!visible.Blocks.IsNone)
        {
            Checks.Throw(op, "keys are kept by score, a block table is not for it");
        }

        if (positions.IsNone != counts.IsNone)
        {
            Checks.Throw(op, "positions and counts come together");
        }

        visible.Check(op, batch, heads, positions.IsNone ? queries : 0, keys);
        if (positions.IsNone)
        {
            if (visible.Kind == VisibleKind.Causal && keys < queries)
            {
                Checks.Throw(op, $"{keys} keys are fewer than {queries} causal queries");
            }

            return;
        }

        AttentionChecks.Shape(op, "positions", positions, DType.Int32, [batch]);
        AttentionChecks.Shape(op, "counts", counts, DType.Int32, [batch]);
        AttentionChecks.Contiguous(op, "positions", positions);
        AttentionChecks.Contiguous(op, "counts", counts);
        if (!visible.Documents.IsNone)
        {
            Checks.Throw(op, "a row of a cache is one document");
        }
    }
}
