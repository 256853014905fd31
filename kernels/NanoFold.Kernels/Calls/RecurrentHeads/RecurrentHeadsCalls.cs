using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.RecurrentHeads;

/// <summary>What both calls of recurrent heads are given. Views of any strides whose last one is 1.</summary>
public readonly record struct RecurrentHeadsArgs
{
    /// <summary>[B, T, G, DK].</summary>
    public required View Q { get; init; }

    /// <summary>[B, T, G, DK].</summary>
    public required View K { get; init; }

    /// <summary>[B, T, H, DV]; value head h meets head h / (H / G) of q and k.</summary>
    public required View V { get; init; }

    /// <summary>
    /// Natural logarithms of the factors of the state, none above 0: none, [H], [B, T, H] or [B, T, H, DK], of q's type or of its sums; see <see cref="HeadDecay"/>.
    /// </summary>
    public View Decay { get; init; }

    /// <summary>[B, T, H], of q's type or of its sums: the delta rule; none for the plain sum.</summary>
    public View Beta { get; init; }

    /// <summary>[B, T] of q's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere.</summary>
    public View Continues { get; init; }

    /// <summary>State before the first place, [B, H, DK, DV], contiguous, of q's type or of its sums; none for 0.</summary>
    public View Initial { get; init; }

    /// <summary>Factor on y.</summary>
    public required double Scale { get; init; }

    internal RecurrentHeadsArgs Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Q = visitor.Visit("q", Q, Access.Read),
            K = visitor.Visit("k", K, Access.Read),
            V = visitor.Visit("v", V, Access.Read),
            Decay = visitor.Visit("decay", Decay, Access.Read),
            Beta = visitor.Visit("beta", Beta, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Initial = visitor.Visit("initial", Initial, Access.Read),
        };
}

/// <summary>
/// Heads with a matrix S [DK, DV] as state, from place to place: S ← exp(decay) ⊙ S (along the key, 0 where <see cref="RecurrentHeadsArgs.Continues"/> is 0),
/// u = v, or by the delta rule u = beta (v − Sᵀ k), S ← S + k uᵀ, y = scale · Sᵀ q. One form of linear attention (arXiv 2006.16236), retention (2307.08621), gated
/// linear attention (2312.06635), Mamba-2 (2405.21060), delta networks (2406.06484, gated: 2412.06464).
/// </summary>
public readonly record struct RecurrentHeadsCall : IKernelCall<RecurrentHeadsCall>
{
    public static string Name => "recurrent-heads";

    public required RecurrentHeadsArgs Args { get; init; }

    /// <summary>[B, T, H, DV]. Places from Counts[b] on become 0.</summary>
    public required View Y { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    /// <summary>State after the last place that moves, like <see cref="RecurrentHeadsArgs.Initial"/>, which it may be; or none.</summary>
    public View Final { get; init; }

    /// <summary>
    /// Room for what the backward call uses again, as many bytes as the kernel asks for (<see cref="IKernel{TCall}.KeptBytes"/>); none: there is no backward call.
    /// </summary>
    public View Kept { get; init; }

    public View Scratch { get; init; }

    public KernelCost Cost => new(new RecurrentHeadsShape(Name, Args).ForwardFlops(!Args.Initial.IsNone, !Final.IsNone), Operands.Bytes(this));

    public void Check()
    {
        var shape = new RecurrentHeadsShape(Name, Args);
        RowCheck.Output(Name, "y", Y, Args.V);
        if (!Counts.IsNone)
        {
            Checks.Integers(Name, "counts", Counts, shape.Batch);
        }

        shape.State(Name, "final", Final, Args.Q);
        if (!Kept.IsNone)
        {
            RowCheck.Room(Name, "kept", Kept, 0);
        }
    }

    public RecurrentHeadsCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Args = Args.Visit(ref visitor),
            Y = visitor.Visit("y", Y, Access.Write),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            Final = visitor.Visit("final", Final, Access.Write),
            Kept = visitor.Visit("kept", Kept, Access.Write),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>The gradients of <see cref="RecurrentHeadsCall"/>; any result may be none.</summary>
public readonly record struct RecurrentHeadsBackwardCall : IKernelCall<RecurrentHeadsBackwardCall>
{
    public static string Name => "recurrent-heads-backward";

    /// <summary>As in the forward call.</summary>
    public required RecurrentHeadsArgs Args { get; init; }

    /// <summary>What the forward call kept.</summary>
    public required View Kept { get; init; }

    /// <summary>[B, T, H, DV].</summary>
    public required View DY { get; init; }

    /// <summary>State after the last place; read where <see cref="DFinal"/> is given.</summary>
    public View Final { get; init; }

    /// <summary>[B, H, DK, DV], or none.</summary>
    public View DFinal { get; init; }

    /// <summary>[B, T, G, DK].</summary>
    public View DQ { get; init; }

    public bool AccumulateQ { get; init; }

    /// <summary>[B, T, G, DK].</summary>
    public View DK { get; init; }

    public bool AccumulateK { get; init; }

    /// <summary>[B, T, H, DV].</summary>
    public View DV { get; init; }

    public bool AccumulateV { get; init; }

    /// <summary>Like the decay, which has a value for each place: no gradient flows to [H].</summary>
    public View DDecay { get; init; }

    public bool AccumulateDecay { get; init; }

    /// <summary>[B, T, H].</summary>
    public View DBeta { get; init; }

    public bool AccumulateBeta { get; init; }

    /// <summary>[B, H, DK, DV].</summary>
    public View DInitial { get; init; }

    public bool AccumulateInitial { get; init; }

    public View Scratch { get; init; }

    public KernelCost Cost => new(new RecurrentHeadsShape(Name, Args).BackwardFlops(!Args.Initial.IsNone, !DFinal.IsNone), Operands.Bytes(this));

    public void Check()
    {
        var shape = new RecurrentHeadsShape(Name, Args);
        RowCheck.Room(Name, "kept", Kept, 0);
        RowCheck.Like(Name, "dy", DY, Args.V);
        shape.State(Name, "dFinal", DFinal, Args.Q);
        if (!DFinal.IsNone)
        {
            Checks.Inside(Name, "final", Final);
        }

        shape.State(Name, "final", Final, Args.Q);
        shape.State(Name, "dInitial", DInitial, Args.Q);
        Gradient("dq", DQ, Args.Q);
        Gradient("dk", DK, Args.K);
        Gradient("dv", DV, Args.V);
        Gradient("dBeta", DBeta, Args.Beta);
        Gradient("dDecay", DDecay, Args.Decay);
        if (!DDecay.IsNone && shape.Decay == HeadDecay.Constant)
        {
            RowCheck.Fail(Name, "dDecay", DDecay, $"none for a decay {Args.Decay}, that of all places");
        }
    }

    public RecurrentHeadsBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Args = Args.Visit(ref visitor),
            Kept = visitor.Visit("kept", Kept, Access.Read),
            DY = visitor.Visit("dy", DY, Access.Read),
            Final = visitor.Visit("final", Final, Access.Read),
            DFinal = visitor.Visit("dFinal", DFinal, Access.Read),
            DQ = visitor.Visit("dq", DQ, Operands.Result(AccumulateQ)),
            DK = visitor.Visit("dk", DK, Operands.Result(AccumulateK)),
            DV = visitor.Visit("dv", DV, Operands.Result(AccumulateV)),
            DDecay = visitor.Visit("dDecay", DDecay, Operands.Result(AccumulateDecay)),
            DBeta = visitor.Visit("dBeta", DBeta, Operands.Result(AccumulateBeta)),
            DInitial = visitor.Visit("dInitial", DInitial, Operands.Result(AccumulateInitial)),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };

    private static void Gradient(string name, in View gradient, in View x)
    {
        if (!gradient.IsNone)
        {
            RowCheck.Output(Name, name, gradient, x);
        }
    }
}
