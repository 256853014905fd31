namespace NanoFold.Engine.Autograd;

/// <summary>Work of one call: floating-point operations and bytes moved, of the forward and of the backward pass.</summary>
public readonly record struct OpCost(long ForwardFlops, long BackwardFlops, long ForwardBytes, long BackwardBytes);
