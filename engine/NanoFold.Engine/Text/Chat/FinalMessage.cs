using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Engine.Text.Chat.Jinja;

namespace NanoFold.Engine.Text.Chat;

/// <summary>A last turn that the model goes on with: a mark is put at its end before it is rendered, and the text ends where the mark stands.</summary>
internal static class FinalMessage
{
    // In capitals, so that no change of case hides it; its space tells whether the template keeps white space at the end.
    private const string Sign = "THE ANSWER GOES ON FROM HERE ";
    private const string Content = "content", Text = "text";

    /// <summary>The conversation with the mark.</summary>
    /// <exception cref="JinjaException">It has no last turn, or that has no text.</exception>
    public static IReadOnlyList<ChatMessage> Mark(IReadOnlyList<ChatMessage> messages)
    {
        if (messages.Count == 0)
        {
            throw JinjaException.Value("there is no last turn to go on with");
        }

        ChatMessage last = messages[^1];
        return [.. messages.Take(messages.Count - 1), last.Json is { } json ? last with { Json = Marked(json) } : last with { Content = last.Content + Sign }];
    }

    /// <summary>A rendered text up to the mark; where the template took the white space after it, without that before it too.</summary>
    /// <exception cref="JinjaException">It is not there.</exception>
    public static string UpToMark(string text)
    {
        int at = text.LastIndexOf(Sign.TrimEnd(), StringComparison.Ordinal);
        return at < 0 ? throw JinjaException.Value("the last turn, which is to be gone on with, does not stand in the text")
            : text.AsSpan(at).StartsWith(Sign, StringComparison.Ordinal) ? text[..at]
            : PointText.Strip(text[..at], null, left: false);
    }

    private static JsonElement Marked(JsonElement json)
    {
        JsonNode message = JsonObject.Create(json)!.DeepClone();
        switch (message[Content])
        {
            case JsonValue value when value.GetValueKind() == JsonValueKind.String:
                message[Content] = (string)value! + Sign;
                break;
            case JsonArray parts when parts.OfType<JsonObject>().LastOrDefault(part => part[Text]?.GetValueKind() == JsonValueKind.String) is { } part:
                part[Text] = (string)part[Text]! + Sign;
                break;
            default:
                throw JinjaException.Value("the last turn, which is to be gone on with, has no text");
        }

        return JsonSerializer.SerializeToElement(message);
    }
}
