using NanoFold.Engine.Measurement;

namespace NanoFold.Engine.Benchmarks;

/// <summary>The timings of one pass of one case.</summary>
/// <param name="Name">The case.</param>
/// <param name="Phase"><c>forward</c> or <c>backward</c>.</param>
/// <param name="SamplesMs">Milliseconds of a call, in the order in which they were taken.</param>
/// <param name="YardstickMs">Milliseconds of a <see cref="Yardstick"/>, taken in between.</param>
public sealed record KernelSamples(string Name, string Phase, double[] SamplesMs, double[] YardstickMs)
{
    /// <summary>Which run of the program took them, from 0.</summary>
    public int Session { get; init; }
}
