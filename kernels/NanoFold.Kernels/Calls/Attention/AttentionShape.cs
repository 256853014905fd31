namespace NanoFold.Kernels.Calls.Attention;

/// <summary>
/// Checked sizes of full-pass attention: q [B, T, H, D], k [B, S, G, D], v [B, S, GV, DV], y [B, T, H, DV]. A window that hides nothing is gone.
/// </summary>
internal readonly struct AttentionShape
{
    public readonly int Batch, Time, Keys, Heads, KeyHeads, ValueHeads, Depth, ValueDepth;
    public readonly DType Type;

    /// <summary>See <see cref="Visible.Rule"/>.</summary>
    public readonly VisibleRule Rule;

    public readonly bool HasPrefixes, HasDocuments, HasBlocks, HasDecay, HasSinkLogits, HasCap;

    private readonly int _listed;

    /// <exception cref="ArgumentException">A shape, stride or type does not fit the others.</exception>
    public AttentionShape(string op, in AttentionArgs args)
    {
        AttentionChecks.Rank4(op, "q", args.Q);
        AttentionChecks.Rank4(op, "k", args.K);
        AttentionChecks.Rank4(op, "v", args.V);
        AttentionChecks.Rank4(op, "y", args.Y);
        Batch = args.Q.Layout[0];
        Time = args.Q.Layout[1];
        Heads = args.Q.Layout[2];
        Depth = args.Q.Layout[3];
        Keys = args.K.Layout[1];
        KeyHeads = args.K.Layout[2];
        ValueHeads = args.V.Layout[2];
        ValueDepth = args.V.Layout[3];
        Type = args.Q.Type;
        Checks.Real(op, "q", args.Q);
        AttentionChecks.Shape(op, "q", args.Q, Type, [Batch, Time, Heads, Depth]);
        AttentionChecks.Shape(op, "k", args.K, Type, [Batch, Keys, KeyHeads, Depth]);
        AttentionChecks.Shape(op, "v", args.V, Type, [Batch, Keys, ValueHeads, ValueDepth]);
        AttentionChecks.Shape(op, "y", args.Y, Type, [Batch, Time, Heads, ValueDepth]);
        AttentionChecks.Shape(op, "log-sum-exp", args.LogSumExp, Type.Sum(), [Batch, Heads, Time]);
        AttentionChecks.Contiguous(op, "log-sum-exp", args.LogSumExp);
        AttentionChecks.Grouping(op, Heads, KeyHeads, ValueHeads);
        HasDecay = !args.Decay.IsNone;
        HasSinkLogits = !args.SinkLogits.IsNone;
        HasCap = args.Cap > 0;
        if (!(args.Cap >= 0) || (HasCap && HasDecay))
        {
            Checks.Throw(op, $"cap is {args.Cap}, expected at least 0, and 0 with decays");
        }

        if (HasDecay)
        {
            AttentionChecks.Dense(op, "decay", args.Decay, Type.Sum(), [Batch, Heads, Keys]);
        }

        if (HasSinkLogits)
        {
            AttentionChecks.Dense(op, "sink logits", args.SinkLogits, Type, [Heads]);
        }

        args.Visible.Check(op, Batch, Heads, Time, Keys);
        if (args.Visible.Kind == VisibleKind.Causal && Keys < Time)
        {
            throw new ArgumentException($"{op}: {Keys} keys are fewer than {Time} causal queries");
        }

        Rule = args.Visible.Rule(Keys);
        HasPrefixes = !args.Visible.Prefixes.IsNone;
        HasDocuments = !args.Visible.Documents.IsNone;
        HasBlocks = !args.Visible.Blocks.IsNone;
        _listed = HasBlocks ? args.Visible.Blocks.QuerySize : Time;
    }

    /// <summary>Query heads that share a key head.</summary>
    public int Group => Heads / KeyHeads;

    /// <summary>Query heads that share a value head.</summary>
    public int ValueGroup => Heads / ValueHeads;

    /// <summary>Whether scores are products and nothing more, and values have the heads of keys.</summary>
    public bool IsPlain => !HasDecay && !HasSinkLogits && !HasCap && ValueHeads == KeyHeads;

    /// <summary>Position of query 0 among the keys: the last query stands at the last key.</summary>
    public int Shift => Keys - Time;

    /// <summary>
    /// Whether queries beside each other, fewer than <paramref name="few"/>, have lists of key blocks of their own and nothing else hides keys: tiles are then
    /// better made of the queries that chose a block.
    /// </summary>
    public bool HasListsOfFew(int few) => HasBlocks && _listed < few && IsPlain && !HasPrefixes && Rule is { Prefix: 0, Window: VisibleRule.Far };

    /// <exception cref="ArgumentException">A gradient does not have the shape of its tensor.</exception>
    public void Check(string op, in AttentionGradients gradients)
    {
        AttentionChecks.Shape(op, "dy", gradients.DY, Type, [Batch, Time, Heads, ValueDepth]);
        Optional(op, "dq", gradients.DQ, [Batch, Time, Heads, Depth]);
        Optional(op, "dk", gradients.DK, [Batch, Keys, KeyHeads, Depth]);
        Optional(op, "dv", gradients.DV, [Batch, Keys, ValueHeads, ValueDepth]);
        Term(op, "ddecay", gradients.DDecay, HasDecay, [Batch, Heads, Keys]);
        Term(op, "dsink logits", gradients.DSinkLogits, HasSinkLogits, [Heads]);
    }

    private void Term(string op, string name, in View view, bool isThere, ReadOnlySpan<int> shape)
    {
        if (!view.IsNone && !isThere)
        {
            Checks.Throw(op, $"{name} is wanted of what is not there");
        }

        if (!view.IsNone)
        {
            AttentionChecks.Dense(op, name, view, Type.Sum(), shape);
        }
    }

    private void Optional(string op, string name, in View view, ReadOnlySpan<int> shape)
    {
        if (!view.IsNone)
        {
            AttentionChecks.Shape(op, name, view, Type, shape);
        }
    }
}
