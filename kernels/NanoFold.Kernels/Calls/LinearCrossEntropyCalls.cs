using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Head and cross-entropy in one: logits = x Wᵀ are made a chunk of rows at a time and held as a whole only where the caller gives them room;
/// rows without a target never reach the head. Loss as in <see cref="CrossEntropyCall"/>.
/// </summary>
/// <param name="State">Of the recording.</param>
/// <param name="X">[N, C].</param>
/// <param name="Weight">[V, C].</param>
/// <param name="Targets">Int32 [N], −1 for none.</param>
/// <param name="Losses">Gets each row's nats, 0 without target, [N].</param>
/// <param name="LogSumExp">[N].</param>
/// <param name="Loss">[1].</param>
/// <param name="Scratch">For the logits of a chunk.</param>
/// <param name="Kept">Room for what the backward call can use again, as many bytes as the kernel asks for (<see cref="IKernel{TCall}.KeptBytes"/>); none: nothing is kept.</param>
/// <param name="Rounding">As of <see cref="MatMulArgs"/>.</param>
public readonly record struct LinearCrossEntropyCall(StepState State, View X, View Weight, View Targets, View Losses, View LogSumExp, View Loss, View Scratch, View Kept,
    OperandRounding Rounding = OperandRounding.None)
    : IKernelCall<LinearCrossEntropyCall>
{
    public static string Name => "linear-cross-entropy";

    public static bool HasComposedPath => true;

    /// <remarks>Which rows have no target is data: as if all had one.</remarks>
    public KernelCost Cost => new(2.0 * X.Count * Weight.Layout[0], Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        CrossEntropyChecks.Linear(Name, X, Weight, Targets, LogSumExp, Kept, stored: true);
        CrossEntropyChecks.Losses(Name, X, Losses, Loss);
    }

    public LinearCrossEntropyCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("x", X, Access.Read), visitor.Visit("weight", Weight, Access.Read), visitor.Visit("targets", Targets, Access.Read),
            visitor.Visit("losses", Losses, Access.Write), visitor.Visit("logSumExp", LogSumExp, Access.Write), visitor.Visit("loss", Loss, Access.Write),
            visitor.Visit("scratch", Scratch, Access.Scratch), visitor.Visit("kept", Kept, Access.Write), Rounding);
}

/// <summary>dX (0 for rows without target) and dWeight, of dLoss[0] · <see cref="StepSlot.LossScale"/>; either may be none.</summary>
/// <param name="State">Of the recording.</param>
/// <param name="X">[N, C].</param>
/// <param name="Weight">[V, C].</param>
/// <param name="Targets">Int32 [N], −1 for none.</param>
/// <param name="LogSumExp">As the forward call left it.</param>
/// <param name="DLoss">[1].</param>
/// <param name="DX">[N, C] or none.</param>
/// <param name="AccumulateX">Whether dX is added to.</param>
/// <param name="DWeight">[V, C] or none, added to unless <see cref="BeginsWeight"/>; in Float32 where the rest has 16 bits.</param>
/// <param name="Scratch">For the logits of a chunk.</param>
/// <param name="Kept">What the forward call kept, overwritten; none: logits are made again, chunk by chunk.</param>
/// <param name="Rounding">As of <see cref="MatMulArgs"/>.</param>
public readonly record struct LinearCrossEntropyBackwardCall(
    StepState State, View X, View Weight, View Targets, View LogSumExp, View DLoss, View DX, bool AccumulateX, View DWeight, View Scratch, View Kept,
    OperandRounding Rounding = OperandRounding.None)
    : IKernelCall<LinearCrossEntropyBackwardCall>
{
    public static string Name => "linear-cross-entropy-backward";

    /// <summary>Whether dWeight is overwritten rather than added to.</summary>
    public bool BeginsWeight { get; init; }

    public static bool HasComposedPath => true;

    // The logits once more where they were not kept, then dX and dW.
    public KernelCost Cost => new(
        2.0 * X.Count * Weight.Layout[0] * ((Kept.IsNone ? 1 : 0) + (DX.IsNone ? 0 : 1) + (DWeight.IsNone ? 0 : 1)), Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        CrossEntropyChecks.Linear(Name, X, Weight, Targets, LogSumExp, Kept);
        RowCheck.Vector(Name, "dLoss", DLoss, X.Type.Sum(), 1);
        if (!DX.IsNone)
        {
            RowCheck.Output(Name, "dX", DX, X);
        }

        if (!DWeight.IsNone)
        {
            RowCheck.Matrix(Name, "dWeight", DWeight, X.Type.Sum(), Weight.Layout[0], Weight.Layout[1]);
            Checks.Writable(Name, "dWeight", DWeight);
        }
    }

    public LinearCrossEntropyBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with
        {
            X = visitor.Visit("x", X, Access.Read),
            Weight = visitor.Visit("weight", Weight, Access.Read),
            Targets = visitor.Visit("targets", Targets, Access.Read),
            LogSumExp = visitor.Visit("logSumExp", LogSumExp, Access.Read),
            DLoss = visitor.Visit("dLoss", DLoss, Access.Read),
            DX = visitor.Visit("dX", DX, Operands.Result(AccumulateX)),
            DWeight = visitor.Visit("dWeight", DWeight, Operands.Result(!BeginsWeight)),
            Scratch = visitor.Visit("scratch", Scratch, Access.Scratch),
            Kept = visitor.Visit("kept", Kept, Access.Update),
        };
}
