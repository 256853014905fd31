namespace NanoFold.Kernels.Calls.Attention;

/// <summary>Checked sizes of cached attention; positions and counts are data, and not looked at here.</summary>
internal readonly struct CachedAttentionShape
{
    public readonly int Batch, Time, Heads, KeyHeads, ValueHeads, Depth, ValueDepth, Capacity;
    public readonly DType Type, CacheType;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public CachedAttentionShape(string op, in CachedAttentionCall args)
    {
        AttentionChecks.Rank4(op, "q", args.Q);
        Checks.Real(op, "q", args.Q);
        AttentionChecks.Rank4(op, "k", args.K);
        AttentionChecks.Rank4(op, "y", args.Y);
        AttentionChecks.Rank4(op, "key cache", args.KeyCache);
        Batch = args.Q.Layout[0];
        Time = args.Q.Layout[1];
        Heads = args.Q.Layout[2];
        Depth = args.Q.Layout[3];
        KeyHeads = args.K.Layout[2];
        ValueDepth = args.Y.Layout[3];
        Capacity = args.KeyCache.Layout[1];
        Type = args.Q.Type;
        CacheType = args.KeyCache.Type.Is16Bit() && Type == DType.Float32 ? args.KeyCache.Type : Type;
        AttentionChecks.Shape(op, "q", args.Q, Type, [Batch, Time, Heads, Depth]);
        AttentionChecks.Shape(op, "k", args.K, Type, [Batch, Time, KeyHeads, Depth]);
        AttentionChecks.Shape(op, "y", args.Y, Type, [Batch, Time, Heads, ValueDepth]);
        AttentionChecks.Shape(op, "key cache", args.KeyCache, CacheType, [Batch, Capacity, KeyHeads, Depth]);
        AttentionChecks.Contiguous(op, "key cache", args.KeyCache);
        ValueHeads = CheckValues(op, args);
        AttentionChecks.Shape(op, "positions", args.Positions, DType.Int32, [Batch]);
        AttentionChecks.Shape(op, "counts", args.Counts, DType.Int32, [Batch]);
        AttentionChecks.Contiguous(op, "positions", args.Positions);
        AttentionChecks.Contiguous(op, "counts", args.Counts);
        AttentionChecks.Grouping(op, Heads, KeyHeads, ValueHeads);
        CheckTerms(op, args);
        (args.Visible with { Blocks = default }).Check(op, Batch, Heads, 0, Capacity);
        if (!args.Visible.Documents.IsNone)
        {
            Checks.Throw(op, "a row of a cache is one document: documents and block tables of more than one query are not for it");
        }

        BlockTable blocks = args.Visible.Blocks;
        blocks.Check(op, Batch, Heads, Time, Math.Max(Time, Capacity));
        bool isPlain = CacheType == Type && args.Decay.IsNone && args.SinkLogits.IsNone && args.Cap == 0 && !args.V.IsNone && ValueHeads == KeyHeads;
        if (!blocks.IsNone && (!isPlain || blocks.QuerySize != 1 || args.Visible.Window > 0 || args.Visible.Kind != VisibleKind.Causal))
        {
            Checks.Throw(op, $"documents and block tables of {blocks.QuerySize} queries are not for it: expected a list for each query, with no window, no prefix, nothing else that weighs keys, and a cache of {Type}");
        }
    }

    /// <summary>The heads of values; those of keys where keys hold them.</summary>
    private int CheckValues(string op, in CachedAttentionCall args)
    {
        if (args.V.IsNone && args.ValueCache.IsNone)
        {
            return ValueDepth <= Depth ? KeyHeads : throw new ArgumentException($"{op}: values of {ValueDepth} elements are not part of keys of {Depth}");
        }

        AttentionChecks.Rank4(op, "v", args.V);
        int heads = args.V.Layout[2];
        AttentionChecks.Shape(op, "v", args.V, Type, [Batch, Time, heads, ValueDepth]);
        AttentionChecks.Dense(op, "value cache", args.ValueCache, CacheType, [Batch, Capacity, heads, ValueDepth]);
        return heads;
    }

    private void CheckTerms(string op, in CachedAttentionCall args)
    {
        if (!args.Decay.IsNone || !args.DecayCache.IsNone)
        {
            AttentionChecks.Dense(op, "decay", args.Decay, Type.Sum(), [Batch, Heads, Time]);
            AttentionChecks.Dense(op, "decay cache", args.DecayCache, Type.Sum(), [Batch, Heads, Capacity]);
        }

        if (!(args.Cap >= 0) || (args.Cap > 0 && !args.Decay.IsNone))
        {
            Checks.Throw(op, $"cap is {args.Cap}, expected at least 0, and 0 with decays");
        }

        if (!args.SinkLogits.IsNone)
        {
            AttentionChecks.Dense(op, "sink logits", args.SinkLogits, Type, [Heads]);
        }
    }
}
