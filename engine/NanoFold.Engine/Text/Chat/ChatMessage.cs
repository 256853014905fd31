using System.Text.Json;

namespace NanoFold.Engine.Text.Chat;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">Who speaks: <c>system</c>, <c>user</c>, <c>assistant</c>, <c>tool</c>, or what a template knows besides.</param>
/// <param name="Content">What is said; empty where it is no text.</param>
public sealed record ChatMessage(string Role, string Content)
{
    /// <summary>The role of whom the model answers.</summary>
    public const string User = "user";

    /// <summary>The role of the model.</summary>
    public const string Assistant = "assistant";

    /// <summary>The role of what is said to the model before all else.</summary>
    public const string System = "system";

    /// <summary>All that the turn has, such as calls of tools, as a template sees it; null where that is its role and its content.</summary>
    public JsonElement? Json { get; init; }

    /// <summary>A turn as it stands in a file or a request: an object with a role and a content, and what it may have besides.</summary>
    /// <exception cref="UserException">It is no object.</exception>
    public static ChatMessage Parse(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new UserException($"a message is an object with a role and a content, not {json.ValueKind switch { JsonValueKind.Array => "a list", JsonValueKind.Null => "null", _ => "a value" }}");
        }

        return new ChatMessage(Text("role"), Text("content")) { Json = json.Clone() };

        string Text(string key) => json.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
    }
}
