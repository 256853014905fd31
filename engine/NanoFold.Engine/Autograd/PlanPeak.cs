namespace NanoFold.Engine.Autograd;

/// <summary>The call at which a pass holds most.</summary>
/// <param name="Bytes">Of activations, their gradients and scratch that are in use then. The arena may be larger: blocks do not always fit gaps.</param>
/// <param name="At">The module and op: <c>blocks.3.mlp: linear backward</c>.</param>
public sealed record PlanPeak(long Bytes, string At);
