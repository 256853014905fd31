using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// A running maximum along time that fades, channel by channel: e_t = a_t + c_t m_{t−1}, m_t = max(e_t, x_t) with c = <see cref="Continues"/>, 0 before the first place.
/// </summary>
public readonly record struct MaxScanCall : IKernelCall<MaxScanCall>
{
    public static string Name => "max-scan";

    /// <summary>[B, T, C].</summary>
    public required View A { get; init; }

    /// <summary>[B, T, C].</summary>
    public required View X { get; init; }

    /// <summary>m [B, T, C]. Places from Counts[b] on become 0.</summary>
    public required View M { get; init; }

    /// <summary>e [B, T, C]: what came from the place before. Places from Counts[b] on become 0.</summary>
    public required View Carried { get; init; }

    /// <summary>[B, T] of x's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere.</summary>
    public View Continues { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    /// <summary>m before the first place, [B, C] of the type of sums; replaced by the one after the last place that moves. None: 0 before.</summary>
    public View State { get; init; }

    public KernelCost Cost => new(3.0 * X.Count, Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "x", X);
        RowCheck.Like(Name, "a", A, X);
        RowCheck.Output(Name, "m", M, X);
        RowCheck.Output(Name, "carried", Carried, X);
        TimeChecks.Continues(Name, Continues, X);
        TimeChecks.Counts(Name, Counts, X);
        RowCheck.OptionalVector(Name, "state", State, X.Type.Sum(), (long)X.Layout[0] * X.Layout[2]);
    }

    public MaxScanCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            A = visitor.Visit("a", A, Access.Read),
            X = visitor.Visit("x", X, Access.Read),
            M = visitor.Visit("m", M, Access.Write),
            Carried = visitor.Visit("carried", Carried, Access.Write),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            State = visitor.Visit("state", State, Access.Update),
        };
}

/// <summary>
/// The gradients of <see cref="MaxScanCall"/> without a state, the last place first: g_t = dm_t + c_{t+1} de_{t+1} goes to x_t, or to e_t where that is larger;
/// da_t = de_t, what goes to e_t with dCarried_t. Any result may be none.
/// </summary>
public readonly record struct MaxScanBackwardCall : IKernelCall<MaxScanBackwardCall>
{
    public static string Name => "max-scan-backward";

    /// <summary>[B, T, C], as in the forward call.</summary>
    public required View X { get; init; }

    /// <summary>[B, T, C]: what the forward call gave.</summary>
    public required View Carried { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DM { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DCarried { get; init; }

    /// <summary>[B, T] or none, as in the forward call.</summary>
    public View Continues { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DA { get; init; }

    /// <summary>Adds to da.</summary>
    public bool AccumulateA { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DX { get; init; }

    /// <summary>Adds to dx.</summary>
    public bool AccumulateX { get; init; }

    public KernelCost Cost => new(4.0 * X.Count, Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "x", X);
        RowCheck.Like(Name, "carried", Carried, X);
        if (!DM.IsNone)
        {
            RowCheck.Like(Name, "dm", DM, X);
        }

        if (!DCarried.IsNone)
        {
            RowCheck.Like(Name, "dCarried", DCarried, X);
        }

        TimeChecks.Continues(Name, Continues, X);
        TimeChecks.OptionalOutput(Name, "da", DA, X);
        TimeChecks.OptionalOutput(Name, "dx", DX, X);
    }

    public MaxScanBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Carried = visitor.Visit("carried", Carried, Access.Read),
            DM = visitor.Visit("dm", DM, Access.Read),
            DCarried = visitor.Visit("dCarried", DCarried, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            DA = visitor.Visit("da", DA, Operands.Result(AccumulateA)),
            DX = visitor.Visit("dx", DX, Operands.Result(AccumulateX)),
        };
}
