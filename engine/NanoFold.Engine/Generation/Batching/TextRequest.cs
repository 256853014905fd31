namespace NanoFold.Engine.Generation.Batching;

/// <summary>A text that is to be written among others by a <see cref="TextBatch"/>.</summary>
public sealed record TextRequest
{
    /// <summary>What it begins with, at least one token; see <see cref="Generator.PromptTokens"/>.</summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>How it is sampled; checked where it is added.</summary>
    public required GenerationConfig Options { get; init; }

    /// <summary>Of the draws. With prompt, options and <see cref="Number"/> it decides the text.</summary>
    public ulong Seed { get; init; }

    /// <summary>Of several texts with one prompt and seed, as <see cref="GeneratedSample.Number"/>.</summary>
    public int Number { get; init; }

    /// <summary>Of how many likeliest tokens log-probabilities are wanted beside each token's own; null for none at all.</summary>
    public int? Likeliest { get; init; }

    /// <summary>Tokens besides the tokenizer's own mark that end the text.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>Told of each token on the thread that decodes; it must not wait.</summary>
    public Action<WrittenToken>? OnToken { get; init; }

    /// <summary>Told once, on the same thread, after the last token or in its place; where nothing is written any more, on the thread that adds it.</summary>
    public required Action<WrittenText> OnEnd { get; init; }

    /// <summary>Leaves before the next step.</summary>
    public CancellationToken Cancel { get; init; }
}

/// <summary>A token that was drawn.</summary>
/// <param name="Token">Its id.</param>
/// <param name="Text">What can be shown now: whole characters, never beyond a stop string; may be empty.</param>
/// <param name="Scores">Where they were asked for.</param>
public readonly record struct WrittenToken(int Token, string Text, TokenScores? Scores);

/// <summary>How a text ended.</summary>
/// <param name="Text">All of it.</param>
/// <param name="Tokens">How many were drawn.</param>
/// <param name="Finish">Why it ended; null where it was cancelled or <paramref name="Fault"/> says what went wrong.</param>
/// <param name="Fault">What went wrong, or null.</param>
public sealed record WrittenText(string Text, int Tokens, FinishReason? Finish, Exception? Fault = null)
{
    /// <summary>Tokens of the prompt that the model did not see, as <see cref="GeneratedSample.DroppedPromptTokens"/>.</summary>
    public int DroppedPromptTokens { get; init; }
}
