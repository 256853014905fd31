using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// loss[0] = factor · weight · Σ x / divisor, also added to a slot: what makes any number a loss, or a term beside it.
/// </summary>
/// <param name="State">Of the recording.</param>
/// <param name="X">Contiguous and real.</param>
/// <param name="Loss">[1], of the type of sums over x.</param>
/// <param name="Scale">What x is multiplied by.</param>
/// <param name="Term">Where the loss is added up: <see cref="StepSlot.Loss"/>, or that of a term (<see cref="StepState.AddTerm"/>).</param>
public readonly record struct LossTermCall(StepState State, View X, View Loss, LossTermScale Scale, StepSlot Term) : IKernelCall<LossTermCall>
{
    public static string Name => "loss-term";

    public KernelCost Cost => new(X.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        Scale.Check(Name);
        Checks.SlotOrNone(Name, "term", Term);
        Checks.Real(Name, "x", X);
        RowCheck.Vector(Name, "x", X, X.Type, X.Count);
        RowCheck.Vector(Name, "loss", Loss, X.Type.Sum(), 1);
    }

    public LossTermCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { X = visitor.Visit("x", X, Access.Read), Loss = visitor.Visit("loss", Loss, Access.Write) };
}

/// <summary>dX[i] = dLoss[0] · <see cref="StepSlot.LossScale"/> · factor · weight / divisor, for all i.</summary>
/// <param name="State">Of the recording.</param>
/// <param name="DLoss">[1].</param>
/// <param name="DX">Contiguous and real.</param>
/// <param name="Scale">As in the forward call.</param>
/// <param name="Accumulate">Whether dX is added to.</param>
public readonly record struct LossTermBackwardCall(StepState State, View DLoss, View DX, LossTermScale Scale, bool Accumulate) : IKernelCall<LossTermBackwardCall>
{
    public static string Name => "loss-term-backward";

    public KernelCost Cost => new(Accumulate ? DX.Count : 0, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        Scale.Check(Name);
        Checks.Real(Name, "dX", DX);
        Checks.Writable(Name, "dX", DX);
        RowCheck.Vector(Name, "dX", DX, DX.Type, DX.Count);
        RowCheck.Vector(Name, "dLoss", DLoss, DX.Type.Sum(), 1);
    }

    public LossTermBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { DLoss = visitor.Visit("dLoss", DLoss, Access.Read), DX = visitor.Visit("dX", DX, Operands.Result(Accumulate)) };
}

/// <summary>What a sum is multiplied by to be a loss.</summary>
/// <param name="Factor">The same at every step.</param>
/// <param name="Weight">A slot (double) that says it anew at every step, or none for 1.</param>
/// <param name="Divisor">A slot (integer): <see cref="StepSlot.MicroBatchCount"/> or <see cref="StepSlot.TargetCount"/>.</param>
public readonly record struct LossTermScale(double Factor, StepSlot Weight, StepSlot Divisor)
{
    internal void Check(string op)
    {
        Checks.SlotOrNone(op, "weight", Weight);
        Checks.Slot(op, "divisor", Divisor);
    }
}

/// <summary>y[0] = a slot's number: a factor that changes from step to step, for formulas and ops to read like any other operand.</summary>
/// <param name="State">Of the recording.</param>
/// <param name="Slot">A slot that holds a double.</param>
/// <param name="Y">[1], real.</param>
public readonly record struct SlotValueCall(StepState State, StepSlot Slot, View Y) : IKernelCall<SlotValueCall>
{
    public static string Name => "slot-value";

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        Checks.Slot(Name, "slot", Slot);
        Checks.Writable(Name, "y", Y);
        Checks.Real(Name, "y", Y);
        RowCheck.Vector(Name, "y", Y, Y.Type, 1);
    }

    public SlotValueCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Y = visitor.Visit("y", Y, Access.Write) };
}
