namespace NanoFold.Engine.Autograd;

/// <summary>Memory of an arena that is in use at one call and serves the same purpose.</summary>
/// <param name="Name">The op whose results they are, <c>gradient of</c> or <c>scratch of</c> it.</param>
/// <param name="Count">Values.</param>
/// <param name="Bytes">Of all of them.</param>
public sealed record PlanHolding(string Name, int Count, long Bytes);
