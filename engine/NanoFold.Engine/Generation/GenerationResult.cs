namespace NanoFold.Engine.Generation;

/// <summary>All samples of one call.</summary>
/// <param name="Samples">In the order of the prompts.</param>
/// <param name="TokensPerSecond">Sampled tokens of all rows over the time of the whole call, reading the prompts included.</param>
public sealed record GenerationResult(IReadOnlyList<GeneratedSample> Samples, double TokensPerSecond);
