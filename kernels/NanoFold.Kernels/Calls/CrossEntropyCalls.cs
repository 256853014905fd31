using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// Cross-entropy in nats, divided by <see cref="StepSlot.TargetCount"/>: loss[0] = Σ losses / TargetCount, also added to <see cref="StepSlot.Loss"/>.
/// </summary>
/// <param name="State">Of the recording.</param>
/// <param name="Logits">[N, V].</param>
/// <param name="Targets">Int32 [N], −1 for none.</param>
/// <param name="Losses">Gets each row's nats (0 without target), [N].</param>
/// <param name="LogSumExp">Gets each row's log of the sum of exponentials, [N].</param>
/// <param name="Loss">[1].</param>
public readonly record struct CrossEntropyCall(StepState State, View Logits, View Targets, View Losses, View LogSumExp, View Loss) : IKernelCall<CrossEntropyCall>
{
    public static string Name => "cross-entropy";

    // The largest, the difference, the exponential, the sum.
    public KernelCost Cost => new((double)Logits.Count * (3 + Formula.ExpFlops), Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        CrossEntropyChecks.Rows(Name, Logits, Targets, LogSumExp);
        CrossEntropyChecks.Losses(Name, Logits, Losses, Loss);
    }

    public CrossEntropyCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("logits", Logits, Access.Read), visitor.Visit("targets", Targets, Access.Read), visitor.Visit("losses", Losses, Access.Write),
            visitor.Visit("logSumExp", LogSumExp, Access.Write), visitor.Visit("loss", Loss, Access.Write));
}

/// <summary>dLogits = dLoss[0] · <see cref="StepSlot.LossScale"/> · (softmax − onehot) / TargetCount, 0 for rows without target.</summary>
/// <param name="State">Of the recording.</param>
/// <param name="Logits">[N, V].</param>
/// <param name="Targets">Int32 [N], −1 for none.</param>
/// <param name="LogSumExp">As the forward call left it.</param>
/// <param name="DLoss">[1].</param>
/// <param name="DLogits">[N, V]; may be the logits themselves where it is not added to.</param>
/// <param name="Accumulate">Whether dLogits is added to.</param>
public readonly record struct CrossEntropyBackwardCall(StepState State, View Logits, View Targets, View LogSumExp, View DLoss, View DLogits, bool Accumulate)
    : IKernelCall<CrossEntropyBackwardCall>
{
    public static string Name => "cross-entropy-backward";

    public KernelCost Cost => new((double)Logits.Count * (2 + Formula.ExpFlops), Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        CrossEntropyChecks.Rows(Name, Logits, Targets, LogSumExp);
        RowCheck.Vector(Name, "dLoss", DLoss, Logits.Type.Sum(), 1);
        RowCheck.Output(Name, "dLogits", DLogits, Logits);
        if (Accumulate && DLogits.Buffer == Logits.Buffer && DLogits.Offset == Logits.Offset)
        {
            RowCheck.Fail(Name, "dLogits", DLogits, "memory other than that of the logits, since it is added to");
        }
    }

    public CrossEntropyBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("logits", Logits, Access.Read), visitor.Visit("targets", Targets, Access.Read), visitor.Visit("logSumExp", LogSumExp, Access.Read),
            visitor.Visit("dLoss", DLoss, Access.Read), visitor.Visit("dLogits", DLogits, Operands.Result(Accumulate)), Accumulate);
}

/// <summary>What cross-entropies ask of their operands, with logits or without. The targets themselves are data and not looked at here.</summary>
internal static class CrossEntropyChecks
{
    public static void Rows(string op, in View logits, in View targets, in View logSumExp)
    {
        RowCheck.Matrix(op, "logits", logits);
        Checks.Integers(op, "targets", targets, logits.Layout[0]);
        RowCheck.Vector(op, "logSumExp", logSumExp, logits.Type.Sum(), logits.Layout[0]);
    }

    public static void Losses(string op, in View x, in View losses, in View loss)
    {
        RowCheck.Vector(op, "losses", losses, x.Type.Sum(), x.Layout[0]);
        RowCheck.Vector(op, "loss", loss, x.Type.Sum(), 1);
    }

    /// <param name="stored">Whether the weights may have a type of files, see <see cref="Backend.ReadsWeights"/>: the product says then what it takes.</param>
    public static void Linear(string op, in View x, in View weight, in View targets, in View logSumExp, in View kept, bool stored = false)
    {
        RowCheck.Matrix(op, "x", x);
        if (stored && BackendChecks.IsStored(weight, x))
        {
            Checks.Inside(op, "weight", weight);
            if (weight.Layout.Rank != 2 || weight.Layout[1] != x.Layout[1])
            {
                Checks.Throw(op, $"weight is {weight}, expected [V, {x.Layout[1]}]");
            }
        }
        else
        {
            RowCheck.Matrix(op, "weight", weight);
            RowCheck.Matrix(op, "weight", weight, x.Type, weight.Layout[0], x.Layout[1]);
        }

        Checks.Integers(op, "targets", targets, x.Layout[0]);
        RowCheck.Vector(op, "logSumExp", logSumExp, x.Type.Sum(), x.Layout[0]);
        if (!kept.IsNone)
        {
            RowCheck.Vector(op, "kept", kept, kept.Type, kept.Count);
        }
    }
}
