namespace NanoFold.Engine.Generation;

/// <summary>What a model said in a conversation.</summary>
/// <param name="Text">Without what ended it.</param>
/// <param name="TokenIds">Every token that was sampled; the last ones may be the mark that ended it.</param>
/// <param name="Finish">Why it ended: <see cref="FinishReason.Length"/> also where the context was full.</param>
/// <param name="IsStopped">It was stopped on the way, whatever <paramref name="Finish"/> says.</param>
/// <param name="PromptTokens">Tokens of the conversation before it.</param>
/// <param name="KeptTokens">How many of them the model still knew from the turn before.</param>
/// <param name="TokensPerSecond">Of sampling, from the first token on; 0 where there are none.</param>
public sealed record ChatAnswer(string Text, IReadOnlyList<int> TokenIds, FinishReason Finish, bool IsStopped, int PromptTokens, int KeptTokens, double TokensPerSecond);
