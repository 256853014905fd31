using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Squared errors: losses[i] = mean over o of (y[i, o] − targets[i, o])²; loss[0] = Σ losses / <see cref="StepSlot.TargetCount"/>, also added to
/// <see cref="StepSlot.Loss"/>.
/// </summary>
/// <param name="State">Of the recording.</param>
/// <param name="Y">[N, O].</param>
/// <param name="Targets">[N, O], of the type of sums over y.</param>
/// <param name="Marks">Int32 [N], −1 for rows without a target.</param>
/// <param name="Losses">Gets each row's error, 0 without a target, [N].</param>
/// <param name="Loss">[1].</param>
public readonly record struct SquaredErrorCall(StepState State, View Y, View Targets, View Marks, View Losses, View Loss) : IKernelCall<SquaredErrorCall>
{
    public static string Name => "squared-error";

    public KernelCost Cost => new(3.0 * Y.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        SquaredErrorChecks.Rows(Name, Y, Targets, Marks);
        CrossEntropyChecks.Losses(Name, Y, Losses, Loss);
    }

    public SquaredErrorCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("y", Y, Access.Read), visitor.Visit("targets", Targets, Access.Read), visitor.Visit("marks", Marks, Access.Read),
            visitor.Visit("losses", Losses, Access.Write), visitor.Visit("loss", Loss, Access.Write));
}

/// <summary>dY = dLoss[0] · <see cref="StepSlot.LossScale"/> · 2 (y − targets) / (O · TargetCount), 0 for rows without a target.</summary>
/// <param name="State">Of the recording.</param>
/// <param name="Y">[N, O].</param>
/// <param name="Targets">[N, O].</param>
/// <param name="Marks">Int32 [N], −1 for rows without a target.</param>
/// <param name="DLoss">[1].</param>
/// <param name="DY">[N, O].</param>
/// <param name="Accumulate">Whether dY is added to.</param>
public readonly record struct SquaredErrorBackwardCall(StepState State, View Y, View Targets, View Marks, View DLoss, View DY, bool Accumulate) : IKernelCall<SquaredErrorBackwardCall>
{
    public static string Name => "squared-error-backward";

    public KernelCost Cost => new(2.0 * Y.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        SquaredErrorChecks.Rows(Name, Y, Targets, Marks);
        RowCheck.Vector(Name, "dLoss", DLoss, Y.Type.Sum(), 1);
        RowCheck.Output(Name, "dY", DY, Y);
    }

    public SquaredErrorBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("y", Y, Access.Read), visitor.Visit("targets", Targets, Access.Read), visitor.Visit("marks", Marks, Access.Read),
            visitor.Visit("dLoss", DLoss, Access.Read), visitor.Visit("dY", DY, Operands.Result(Accumulate)), Accumulate);
}

internal static class SquaredErrorChecks
{
    public static void Rows(string op, in View y, in View targets, in View marks)
    {
        RowCheck.Matrix(op, "y", y);
        RowCheck.Matrix(op, "targets", targets, y.Type.Sum(), y.Layout[0], y.Layout[1]);
        Checks.Integers(op, "marks", marks, y.Layout[0]);
    }
}
