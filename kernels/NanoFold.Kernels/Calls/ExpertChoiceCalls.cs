using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls;

/// <summary>
/// The k experts of each token: those with the largest score + bias, the largest first; of equal ones the smaller index. The bias decides about the choice only
/// (auxiliary-loss-free balancing, arXiv 2408.15664). With groups (DeepSeek-V3, arXiv 2412.19437) experts lie in groups of E / groups one after the other, a group is worth the
/// sum of its two largest score + bias, and experts outside of the worthiest groups count as 0: not as −∞, as published code has it.
/// </summary>
/// <param name="Scores">[N, E].</param>
/// <param name="Bias">[E] in the type of sums, or none.</param>
/// <param name="Indices">Gets the experts, Int32 [N, k].</param>
/// <param name="Groups">A divisor of E; 1 for none.</param>
/// <param name="ActiveGroups">Groups that a token chooses from.</param>
public readonly record struct ExpertChoiceCall(View Scores, View Bias, View Indices, int Groups, int ActiveGroups) : IKernelCall<ExpertChoiceCall>
{
    public static string Name => "expert-choice";

    public KernelCost Cost => new(Bias.IsNone ? 0 : Scores.Count, Operands.Bytes(this));

    public void Check()
    {
        ExpertChecks.Slots(Name, "indices", Indices);
        RowCheck.Matrix(Name, "scores", Scores);
        int experts = Scores.Layout[1];
        RowCheck.Matrix(Name, "scores", Scores, Scores.Type, Indices.Layout[0], experts);
        RowCheck.OptionalVector(Name, "bias", Bias, Scores.Type.Sum(), experts);
        if (Indices.Layout[1] > experts || experts > ExpertChecks.MostExperts)
        {
            Checks.Throw(Name, $"{Indices.Layout[1]} of {experts} experts, expected no more than there are, and {ExpertChecks.MostExperts} at most");
        }

        if (Groups < 1 || experts % Groups != 0 || (Groups > 1 && experts / Groups < 2) || ActiveGroups < 1 || ActiveGroups > Groups)
        {
            Checks.Throw(Name, $"{ActiveGroups} of {Groups} groups of {experts} experts, expected a divisor that leaves groups of two at least, and no more of them");
        }
    }

    public ExpertChoiceCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Scores = visitor.Visit("scores", Scores, Access.Read), Bias = visitor.Visit("bias", Bias, Access.Read), Indices = visitor.Visit("indices", Indices, Access.Write) };
}

/// <summary>
/// Drops slots beyond what an expert takes of a sequence: it takes the first ones, in the order of tokens, so that what becomes of a token does not depend on later ones.
/// </summary>
/// <param name="Indices">Expert of each slot, Int32 [N, k], sequence after sequence.</param>
/// <param name="Kept">Gets the expert, or −1 where the slot is dropped, Int32 [N, k].</param>
/// <param name="Routed">Gets sums of what was sent to the experts before an expert, dropped slots included, Int32 [E + 1].</param>
/// <param name="Sequences">A divisor of N.</param>
/// <param name="Capacity">Slots of a sequence that an expert takes at most.</param>
public readonly record struct ExpertCapacityCall(View Indices, View Kept, View Routed, int Sequences, int Capacity) : IKernelCall<ExpertCapacityCall>
{
    public static string Name => "expert-capacity";

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        ExpertChecks.Slots(Name, "indices", Indices);
        Checks.Integers(Name, "kept", Kept, Indices.Count);
        ExpertChecks.Starts(Name, "routed", Routed);
        if (Sequences < 1 || Indices.Layout[0] % Sequences != 0 || Capacity < 1)
        {
            Checks.Throw(Name, $"{Sequences} sequences of {Indices.Layout[0]} tokens with a capacity of {Capacity}, expected a divisor and at least 1");
        }
    }

    public ExpertCapacityCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Indices = visitor.Visit("indices", Indices, Access.Read), Kept = visitor.Visit("kept", Kept, Access.Write), Routed = visitor.Visit("routed", Routed, Access.Write) };
}

/// <summary>Adds up what a step sends to the experts of a router: counts[e] += slots of e, and counts[E] += slots that were dropped.</summary>
/// <param name="Routed">Sums of what was sent to the experts before an expert, Int32 [E + 1].</param>
/// <param name="Kept">The same of what they took, Int32 [E + 1].</param>
/// <param name="Counts">Int32 [E + 1].</param>
public readonly record struct ExpertTallyCall(View Routed, View Kept, View Counts) : IKernelCall<ExpertTallyCall>
{
    public static string Name => "expert-tally";

    public KernelCost Cost => new(0, Operands.Bytes(this));

    public void Check()
    {
        ExpertChecks.Starts(Name, "routed", Routed);
        Checks.Integers(Name, "kept", Kept, Routed.Count);
        Checks.Integers(Name, "counts", Counts, Routed.Count);
    }

    public ExpertTallyCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => new(visitor.Visit("routed", Routed, Access.Read), visitor.Visit("kept", Kept, Access.Read), visitor.Visit("counts", Counts, Access.Update));
}

/// <summary>
/// bias[e] += rate · sign(mean count − count[e]) (auxiliary-loss-free balancing, arXiv 2408.15664), after a step whose update was made: nothing where GradientScale is 0, as in the passes of
/// an optimizer. Counts are whole numbers, so an expert with the mean load is left alone.
/// </summary>
/// <param name="Counts">Of the whole step, Int32 [E + 1], of which the last is not read.</param>
/// <param name="Bias">[E].</param>
/// <param name="Rate">u.</param>
public readonly record struct ExpertBiasCall(StepState State, View Counts, View Bias, double Rate) : IKernelCall<ExpertBiasCall>
{
    public static string Name => "expert-bias";

    public KernelCost Cost => new(2.0 * Bias.Count, Operands.Bytes(this));

    public void Check()
    {
        Checks.State(Name, State);
        Checks.Writable(Name, "bias", Bias);
        RowCheck.Vector(Name, "bias", Bias, Bias.Type == DType.Float64 ? DType.Float64 : DType.Float32, Bias.Count);
        Checks.Integers(Name, "counts", Counts, Bias.Count + 1);
    }

    public ExpertBiasCall Visit<TVisitor>(ref TVisitor visitor)
        where TVisitor : struct, IOperandVisitor
        => this with { Counts = visitor.Visit("counts", Counts, Access.Read), Bias = visitor.Visit("bias", Bias, Access.Update) };
}
