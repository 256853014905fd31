namespace NanoFold.Engine.Autograd;

/// <summary>What a run of a plan holds and moves, by its recording: known before anything runs.</summary>
/// <param name="Forward">Where the forward pass holds most of the arena.</param>
/// <param name="Backward">Where the backward pass does; null where there is none.</param>
/// <param name="Largest">What the arena holds at the higher of the two, by op, the largest first.</param>
/// <param name="Flops">Of all calls, recomputation included: upper bounds from the shapes.</param>
/// <param name="MovedBytes">Read and written by all calls, each operand once.</param>
public sealed record PlanProfile(PlanPeak Forward, PlanPeak? Backward, IReadOnlyList<PlanHolding> Largest, long Flops, long MovedBytes);
