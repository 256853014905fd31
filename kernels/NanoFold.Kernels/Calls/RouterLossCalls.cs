using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// loss[0] = (balance · E · Σ_e f_e P_e + z · mean(logsumexp(logits)²)) / MicroBatchCount with f_e the share of (token, slot) pairs of e: Switch's balancing
/// loss (arXiv 2101.03961) and ST-MoE's z-loss (arXiv 2202.08906). Its two parts are also added to slots of the state.
/// </summary>
/// <param name="State">Of the recording.</param>
/// <param name="Logits">[N, E].</param>
/// <param name="Probabilities">[N, E].</param>
/// <param name="Offsets">Where each expert's rows begin, Int32 [E + 1].</param>
/// <param name="Load">Gets f, [E].</param>
/// <param name="Loss">[1].</param>
/// <param name="Balance">Factor of the balancing loss.</param>
/// <param name="Z">Factor of the z-loss.</param>
/// <param name="BalanceTerm">Where the balancing loss is added up, or none.</param>
/// <param name="ZTerm">Where the z-loss is.</param>
public readonly record struct RouterLossCall(StepState State, View Logits, View Probabilities, View Offsets, View Load, View Loss, double Balance, double Z,
    StepSlot BalanceTerm = StepSlot.None, StepSlot ZTerm = StepSlot.None)
    : IKernelCall<RouterLossCall>
{
    public static string Name => "router-loss";

    public KernelCost Cost => new((double)Logits.Count * (4 + Formula.ExpFlops), Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        RouterLossChecks.Logits(Name, Logits, Probabilities, Load);
        Checks.Integers(Name, "offsets", Offsets, Logits.Layout[1] + 1L);
        RowCheck.Vector(Name, "loss", Loss, Logits.Type.Sum(), 1);
    }

    public RouterLossCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("logits", Logits, Access.Read), visitor.Visit("probabilities", Probabilities, Access.Read),
            visitor.Visit("offsets", Offsets, Access.Read), visitor.Visit("load", Load, Access.Write), visitor.Visit("loss", Loss, Access.Write), Balance, Z,
            BalanceTerm, ZTerm);
}

/// <summary>dLoss's gradient, times <see cref="StepSlot.LossScale"/>, to dLogits (the balance term through the softmax, f constant).</summary>
public readonly record struct RouterLossBackwardCall(
    StepState State, View Logits, View Probabilities, View Load, View DLoss, View DLogits, double Balance, double Z, bool Accumulate) : IKernelCall<RouterLossBackwardCall>
{
    public static string Name => "router-loss-backward";

    public KernelCost Cost => new((double)Logits.Count * (8 + Formula.ExpFlops), Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        RouterLossChecks.Logits(Name, Logits, Probabilities, Load);
        RowCheck.Vector(Name, "dLoss", DLoss, Logits.Type.Sum(), 1);
        RowCheck.Output(Name, "dLogits", DLogits, Logits);
    }

    public RouterLossBackwardCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(State, visitor.Visit("logits", Logits, Access.Read), visitor.Visit("probabilities", Probabilities, Access.Read),
            visitor.Visit("load", Load, Access.Read), visitor.Visit("dLoss", DLoss, Access.Read),
            visitor.Visit("dLogits", DLogits, Operands.Result(Accumulate)), Balance, Z, Accumulate);
}

internal static class RouterLossChecks
{
    public static void Logits(string op, in View logits, in View probabilities, in View load)
    {
        RowCheck.Matrix(op, "logits", logits);
        RowCheck.Like(op, "probabilities", probabilities, logits);
        RowCheck.Vector(op, "load", load, logits.Type.Sum(), logits.Layout[1]);
    }
}
