using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// What a training step adds to the loss for the gradients' sake, with its factors; null where the model has no such term. A loss is nats per token
/// wherever it is reported, so that training and validation compare; terms beside it have keys of their own.
/// </summary>
/// <remarks>A further term is a slot of the step's state and a line in each member here.</remarks>
/// <param name="Balance">Of all routers: α · E · Σ_e f_e P_e (<c>balanceLoss</c>).</param>
/// <param name="Z">Of all routers: the factor times mean(logsumexp(logits)²) (<c>zLoss</c>).</param>
/// <param name="Index">Of all indexers of sparse attention: λ times mean KL(attention ‖ indexer) (<c>indexLoss</c>).</param>
public readonly record struct LossTerms(double? Balance, double? Z, double? Index)
{
    /// <summary>How many there are, whether a model has them or not.</summary>
    public const int Count = 3;

    /// <summary>Whether all are numbers: otherwise nothing is updated.</summary>
    public bool IsFinite => double.IsFinite((Balance ?? 0) + (Z ?? 0) + (Index ?? 0));

    /// <summary>Where kernels add them up.</summary>
    internal static ReadOnlySpan<StepSlot> Slots => [StepSlot.BalanceLoss, StepSlot.ZLoss, StepSlot.IndexLoss];

    /// <summary>A term's key in files and its value.</summary>
    public (string Key, double? Value) this[int index] => index switch
    {
        0 => ("balanceLoss", Balance),
        1 => ("zLoss", Z),
        2 => ("indexLoss", Index),
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    /// <summary>Reads those that a recorded pass has.</summary>
    internal static LossTerms Of(StepState state, IReadOnlySet<StepSlot> recorded)
    {
        return new LossTerms(Read(StepSlot.BalanceLoss), Read(StepSlot.ZLoss), Read(StepSlot.IndexLoss));

        double? Read(StepSlot slot) => recorded.Contains(slot) ? state.GetDouble(slot) : null;
    }
}
