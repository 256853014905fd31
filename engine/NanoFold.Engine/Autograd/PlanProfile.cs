namespace NanoFold.Engine.Autograd;

/// <summary>What a run of a plan holds, by its recording: known before anything runs.</summary>
/// <param name="Forward">Where the forward pass holds most of the arena.</param>
/// <param name="Backward">Where the backward pass does; null where there is none.</param>
/// <param name="Largest">What the arena holds at the higher of the two, by op, the largest first.</param>
public sealed record PlanProfile(PlanPeak Forward, PlanPeak? Backward, IReadOnlyList<PlanHolding> Largest);
