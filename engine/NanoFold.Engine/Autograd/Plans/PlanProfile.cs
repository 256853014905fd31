namespace NanoFold.Engine.Autograd;

/// <summary>What a run of a plan holds, by its recording: known before anything runs.</summary>
/// <param name="Forward">Where the forward pass holds most of the arena.</param>
/// <param name="Backward">Where the backward pass does; null where there is none.</param>
/// <param name="SavedBytes">What the arena holds between the passes: what the backward pass needs of the forward pass. 0 where there is none.</param>
/// <param name="Largest">What the arena holds at the higher of the two, by op, the largest first.</param>
public sealed record PlanProfile(PlanPeak Forward, PlanPeak? Backward, long SavedBytes, IReadOnlyList<PlanHolding> Largest);

/// <summary>The call at which a pass holds most.</summary>
/// <param name="Bytes">Of activations, their gradients and scratch that are in use then. The arena may be larger: blocks do not always fit gaps.</param>
/// <param name="At">The module and op: <c>blocks.3.mlp: linear backward</c>.</param>
public sealed record PlanPeak(long Bytes, string At);

/// <summary>Memory of an arena that is in use at one call and serves the same purpose.</summary>
/// <param name="Name">The op whose results they are, <c>gradient of</c> or <c>scratch of</c> it.</param>
/// <param name="Count">Values.</param>
/// <param name="Bytes">Of all of them.</param>
public sealed record PlanHolding(string Name, int Count, long Bytes);
