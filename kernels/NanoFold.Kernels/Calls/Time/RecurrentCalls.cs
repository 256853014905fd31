using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// A recurrent cell along time, with a dense product of the state at each place: state_t = cell(x_t, W c_t h_{t−1} + bias, c_t state_{t−1}), where h is the first
/// vector of the state and c = <see cref="Continues"/>. With G gates (<see cref="IRecurrentCell.Gates"/>) and S vectors of state of width N. The weight may be
/// block-diagonal: N = heads · D, and unit n of each gate reads the D units of its own head.
/// </summary>
/// <typeparam name="TCell">The formula.</typeparam>
public readonly record struct RecurrentCall<TCell> : IKernelCall<RecurrentCall<TCell>>
    where TCell : struct, IRecurrentCell
{
    public static string Name => TCell.Name;

    /// <summary>What the inputs bring to the gates, [B, T, G · N]: a product made for all places at once.</summary>
    public required View X { get; init; }

    /// <summary>[G · N, D], contiguous; D = N without heads.</summary>
    public required View Weight { get; init; }

    /// <summary>[B, T, N]. Places from Counts[b] on become 0.</summary>
    public required View H { get; init; }

    /// <summary>[G · N], or none.</summary>
    public View Bias { get; init; }

    /// <summary>[B, T] of x's type, contiguous: 0 where a row or a document begins, 1 elsewhere. None: it goes on everywhere.</summary>
    public View Continues { get; init; }

    /// <summary>Int32 [B]: only so many places of a row move. None: all.</summary>
    public View Counts { get; init; }

    /// <summary>State before the first place, [B, S · N] of x's type or of its sums, or none for 0.</summary>
    public View Initial { get; init; }

    /// <summary>State after the last place that moves, [B, S · N], or none. May be <see cref="Initial"/>.</summary>
    public View Final { get; init; }

    /// <summary>What the backward pass wants to know, [B, T, <see cref="IRecurrentCell.Saved"/> · N], contiguous, or none.</summary>
    public View Saved { get; init; }

    public View Scratch { get; init; }

    /// <summary>As of <see cref="MatMulArgs"/>.</summary>
    public OperandRounding Rounding { get; init; }

    public KernelCost Cost => new(
        H.Count * ((2.0 * TCell.Gates * Weight.Layout[1]) + CellFlops.Of<TCell>.Forward), Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "h", H);
        TimeChecks.Gates<TCell>(Name, "x", X, H);
        TimeChecks.Weight<TCell>(Name, "weight", Weight, H, X.Type);
        RowCheck.OptionalVector(Name, "bias", Bias, X.Type, Weight.Layout[0]);
        Checks.Writable(Name, "h", H);
        TimeChecks.Continues(Name, Continues, X);
        TimeChecks.Counts(Name, Counts, X);
        TimeChecks.State(Name, "initial", Initial, X, TCell.States * H.Layout[2]);
        TimeChecks.State(Name, "final", Final, X, TCell.States * H.Layout[2]);
        RowCheck.OptionalVector(Name, "saved", Saved, X.Type, TCell.Saved * H.Count);
    }

    public RecurrentCall<TCell> Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Weight = visitor.Visit("weight", Weight, Access.Read),
            H = visitor.Visit("h", H, Access.Write),
            Bias = visitor.Visit("bias", Bias, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Counts = visitor.Visit("counts", Counts, Access.Read),
            Initial = visitor.Visit("initial", Initial, Access.Read),
            Final = visitor.Visit("final", Final, Access.Write),
            Saved = visitor.Visit("saved", Saved, Access.Write),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}

/// <summary>The gradients of <see cref="RecurrentCall{TCell}"/> through all places, last to first; that of the weight is one product at the end. Any result may be none.</summary>
/// <typeparam name="TCell">The formula.</typeparam>
public readonly record struct RecurrentBackwardCall<TCell> : IKernelCall<RecurrentBackwardCall<TCell>>
    where TCell : struct, IRecurrentCell
{
    public static string Name { get; } = $"{TCell.Name}-backward";

    /// <summary>As in the forward call, as are those that follow.</summary>
    public required View Weight { get; init; }

    public required View H { get; init; }

    /// <summary>None for a cell that saves nothing.</summary>
    public View Saved { get; init; }

    public View Continues { get; init; }

    public View Initial { get; init; }

    /// <summary>[B, T, N], or none.</summary>
    public View DH { get; init; }

    /// <summary>[B, S · N], or none.</summary>
    public View DFinal { get; init; }

    /// <summary>[B, T, G · N].</summary>
    public View DX { get; init; }

    public bool AccumulateX { get; init; }

    /// <summary>[G · N, D] of the type of sums, contiguous; added to.</summary>
    public View DWeight { get; init; }

    /// <summary>[G · N] of the type of sums; added to.</summary>
    public View DBias { get; init; }

    /// <summary>[B, S · N].</summary>
    public View DInitial { get; init; }

    public bool AccumulateInitial { get; init; }

    public View Scratch { get; init; }

    /// <summary>As of <see cref="MatMulArgs"/>.</summary>
    public OperandRounding Rounding { get; init; }

    public KernelCost Cost => new(
        H.Count * ((2.0 * TCell.Gates * Weight.Layout[1] * (DWeight.IsNone ? 1 : 2)) + CellFlops.Of<TCell>.Backward), Operands.Bytes(this));

    public void Check()
    {
        TimeChecks.Sequence(Name, "h", H);
        TimeChecks.Weight<TCell>(Name, "weight", Weight, H, H.Type);
        if (TCell.Saved > 0)
        {
            RowCheck.Vector(Name, "saved", Saved, H.Type, TCell.Saved * H.Count);
        }

        TimeChecks.Continues(Name, Continues, H);
        TimeChecks.State(Name, "initial", Initial, H, TCell.States * H.Layout[2]);
        if (!DH.IsNone)
        {
            RowCheck.Like(Name, "dh", DH, H);
        }

        TimeChecks.State(Name, "dFinal", DFinal, H, TCell.States * H.Layout[2]);
        if (!DX.IsNone)
        {
            TimeChecks.Gates<TCell>(Name, "dx", DX, H);
            Checks.Writable(Name, "dx", DX);
        }

        if (!DWeight.IsNone)
        {
            TimeChecks.Weight<TCell>(Name, "dWeight", DWeight, H, H.Type.Sum());
            RowCheck.Vector(Name, "dWeight", DWeight, H.Type.Sum(), Weight.Count);
        }

        RowCheck.OptionalVector(Name, "dBias", DBias, H.Type.Sum(), Weight.Layout[0]);
        TimeChecks.State(Name, "dInitial", DInitial, H, TCell.States * H.Layout[2]);
    }

    public RecurrentBackwardCall<TCell> Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            Weight = visitor.Visit("weight", Weight, Access.Read),
            H = visitor.Visit("h", H, Access.Read),
            Saved = visitor.Visit("saved", Saved, Access.Read),
            Continues = visitor.Visit("continues", Continues, Access.Read),
            Initial = visitor.Visit("initial", Initial, Access.Read),
            DH = visitor.Visit("dh", DH, Access.Read),
            DFinal = visitor.Visit("dFinal", DFinal, Access.Read),
            DX = visitor.Visit("dx", DX, Operands.Result(AccumulateX)),
            DWeight = visitor.Visit("dWeight", DWeight, Access.Update),
            DBias = visitor.Visit("dBias", DBias, Access.Update),
            DInitial = visitor.Visit("dInitial", DInitial, Operands.Result(AccumulateInitial)),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
        };
}
