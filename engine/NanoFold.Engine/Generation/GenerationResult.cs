namespace NanoFold.Engine.Generation;

/// <summary>All samples of one call.</summary>
/// <param name="Samples">In the order of the prompts.</param>
/// <param name="TokensPerSecond">Tokens sampled, of all rows together, over the time they took: from the first one on, so that the first prompts do not count.</param>
public sealed record GenerationResult(IReadOnlyList<GeneratedSample> Samples, double TokensPerSecond);

/// <summary>What one prompt became.</summary>
/// <param name="Prompt">As it was given.</param>
/// <param name="Text">What was generated, up to and without a stop string; a character that the length limit cut in two is left out.</param>
/// <param name="TokenIds">Every token that was sampled; the last ones may be the end mark or belong to a stop string.</param>
/// <param name="Finish">Why it ended.</param>
/// <param name="DroppedPromptTokens">Tokens at the beginning of the prompt, after those to be kept, that the model did not see, because its context is too short for them.</param>
/// <param name="Number">How many equal prompts stand before this one. With the prompt and the seed it decides the text.</param>
public sealed record GeneratedSample(string Prompt, string Text, IReadOnlyList<int> TokenIds, FinishReason Finish, int DroppedPromptTokens, int Number);

/// <summary>Why a sample ended.</summary>
public enum FinishReason
{
    /// <summary>It has as many tokens as were asked for.</summary>
    Length,

    /// <summary>Its text reached a stop string.</summary>
    Stop,

    /// <summary>The model ended the document.</summary>
    Eos,
}
