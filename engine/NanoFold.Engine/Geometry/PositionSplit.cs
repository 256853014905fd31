namespace NanoFold.Engine.Geometry;

/// <summary>
/// A measurement with and without position 0, whose massive activation or attention sink can dominate a mean.
/// </summary>
/// <param name="All">Over all positions.</param>
/// <param name="WithoutFirst">Over positions 1, 2 …</param>
/// <typeparam name="T">What was measured.</typeparam>
public sealed record PositionSplit<T>(T All, T WithoutFirst);
