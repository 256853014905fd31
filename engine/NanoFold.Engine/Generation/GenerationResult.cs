namespace NanoFold.Engine.Generation;

/// <summary>All samples of one call.</summary>
/// <param name="Samples">In the order of the prompts.</param>
/// <param name="TokensPerSecond">Tokens sampled, of all rows together, over the time they took: from the first one on, so that the first prompts do not count.</param>
public sealed record GenerationResult(IReadOnlyList<GeneratedSample> Samples, double TokensPerSecond);
