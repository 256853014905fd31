namespace NanoFold.Engine.Generation;

/// <summary>What one prompt became.</summary>
/// <param name="Prompt">As it was given.</param>
/// <param name="Text">What was generated, up to and without a stop string; a character that the length limit cut in two is left out.</param>
/// <param name="TokenIds">Every token that was sampled; the last ones may be the end mark or belong to a stop string.</param>
/// <param name="Finish">Why it ended.</param>
/// <param name="DroppedPromptTokens">Tokens at the beginning of the prompt, after those to be kept, that the model did not see, because its context is too short for them.</param>
/// <param name="Number">How many equal prompts stand before this one. With the prompt and the seed it decides the text.</param>
public sealed record GeneratedSample(string Prompt, string Text, IReadOnlyList<int> TokenIds, FinishReason Finish, int DroppedPromptTokens, int Number);
