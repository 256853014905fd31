using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// A linear recurrence along time, channel by channel: h_t = a_t ⊙ c_t h_{t−1} + x_t with c = <see cref="Continues"/>, h_{−1} = <see cref="Initial"/>;
/// with <see cref="Reverse"/> from the last place to the first, h_t = a_t ⊙ c_{t+1} h_{t+1} + x_t. States are carried in the type of sums;
/// those given may have x's type or that one.
/// </summary>
public readonly record struct ScanCall : IKernelCall<ScanCall>
{
    public static string Name => "scan";

    /// <summary>[B, T, C]; any of its dimensions may be broadcast (stride 0).</summary>
    public required View A { get; init; }

    /// <summary>[B, T, C].</summary>
    public required View X { get; init; }

    /// <summary>[B, T, C]; may be x. Places from Counts[b] on become 0.</summary>
    public required View H { get; init; }

    /// <summary>[B, T] of x's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere.</summary>
    public View Continues { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    /// <summary>State before the first place, [B, C], or none for 0.</summary>
    public View Initial { get; init; }

    /// <summary>State after the last place that moves, [B, C], or none. May be <see cref="Initial"/>.</summary>
    public View Final { get; init; }

    /// <summary>Walks from the last place to the first.</summary>
    public bool Reverse { get; init; }

    public KernelCost Cost => new((Continues.IsNone ? 2.0 : 3.0) * X.Count, Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "x", X);
        TimeChecks.Factor(Name, "a", A, X);
        RowCheck.Output(Name, "h", H, X);
        TimeChecks.Continues(Name, Continues, X);
        TimeChecks.Counts(Name, Counts, X);
        TimeChecks.State(Name, "initial", Initial, X, X.Layout[2]);
        TimeChecks.State(Name, "final", Final, X, X.Layout[2]);
    }

    public ScanCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            A = visitor.Visit("a", A, Access.Read),
            X = visitor.Visit("x", X, Access.Read),
            H = visitor.Visit("h", H, Access.Write),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            Initial = visitor.Visit("initial", Initial, Access.Read),
            Final = visitor.Visit("final", Final, Access.Write),
        };
}

/// <summary>
/// The gradients of <see cref="ScanCall"/>, walked the other way: g_t = dh_t + a_{t+1} ⊙ c_{t+1} g_{t+1} (the last one also dFinal), dx = g,
/// da_t = g_t ⊙ c_t h_{t−1}, dInitial = a_0 ⊙ c_0 g_0; mirrored for a scan in reverse. Any result may be none.
/// </summary>
public readonly record struct ScanBackwardCall : IKernelCall<ScanBackwardCall>
{
    public static string Name => "scan-backward";

    /// <summary>As in the forward call.</summary>
    public required View A { get; init; }

    /// <summary>What the forward call gave; read for da only.</summary>
    public required View H { get; init; }

    /// <summary>[B, T, C], or none.</summary>
    public View DH { get; init; }

    /// <summary>[B, C], or none.</summary>
    public View DFinal { get; init; }

    public View Continues { get; init; }

    public View Initial { get; init; }

    public bool Reverse { get; init; }

    /// <summary>[B, T, C]; may be dh where it is not added to.</summary>
    public View DX { get; init; }

    public bool AccumulateX { get; init; }

    /// <summary>[B, T, C], also where a is broadcast: who calls sums it then.</summary>
    public View DA { get; init; }

    public bool AccumulateA { get; init; }

    /// <summary>[B, C].</summary>
    public View DInitial { get; init; }

    public bool AccumulateInitial { get; init; }

    public KernelCost Cost => new((DA.IsNone ? 3.0 : 5.0) * H.Count, Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "h", H);
        TimeChecks.Factor(Name, "a", A, H);
        if (!DH.IsNone)
        {
            RowCheck.Like(Name, "dh", DH, H);
        }

        TimeChecks.Continues(Name, Continues, H);
        TimeChecks.State(Name, "initial", Initial, H, H.Layout[2]);
        TimeChecks.State(Name, "dFinal", DFinal, H, H.Layout[2]);
        TimeChecks.OptionalOutput(Name, "dx", DX, H);
        TimeChecks.OptionalOutput(Name, "da", DA, H);
        TimeChecks.State(Name, "dInitial", DInitial, H, H.Layout[2]);
    }

    public ScanBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            A = visitor.Visit("a", A, Access.Read),
            H = visitor.Visit("h", H, Access.Read),
            DH = visitor.Visit("dh", DH, Access.Read),
            DFinal = visitor.Visit("dFinal", DFinal, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Initial = visitor.Visit("initial", Initial, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(AccumulateX)),
            DA = visitor.Visit("da", DA, Operands.Result(AccumulateA)),
            DInitial = visitor.Visit("dInitial", DInitial, Operands.Result(AccumulateInitial)),
        };
}
