using System.Text.Json;

namespace NanoFold.Engine.Text.Chat;

/// <summary>What a conversation is rendered with, besides its turns.</summary>
public sealed record ChatOptions
{
    /// <summary>Ends with what begins an answer of the assistant.</summary>
    public bool AddGenerationPrompt { get; init; }

    /// <summary>Ends within the last turn, which the model is to go on with.</summary>
    public bool ContinueFinalMessage { get; init; }

    /// <summary>Tools that the model may call, as JSON schemas; null for none.</summary>
    public IReadOnlyList<JsonElement>? Tools { get; init; }

    /// <summary>Further names that the template sees, such as <c>enable_thinking</c>; they come before all others of these names.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Variables { get; init; }

    /// <summary>The time that the template sees; null for now.</summary>
    public DateTime? Now { get; init; }
}
