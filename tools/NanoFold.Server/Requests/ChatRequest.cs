using System.Text.Json;
using NanoFold.Engine;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Server.Requests;

/// <summary>The body of <c>POST /v1/chat/completions</c>.</summary>
internal static class ChatRequest
{
    private const int MostLikeliest = 20;

    /// <exception cref="ApiException">Something of it is wrong.</exception>
    public static TextJob Read(JsonElement body, ServedModel served, ServerOptions server)
    {
        var fields = new RequestFields(body);
        TextFields common = TextFields.Read(fields, served);
        JsonElement messages = fields.Get("messages") ?? throw new ApiException(400, "messages: is missing", "messages", "missing_required_parameter");
        bool scores = fields.Flag("logprobs") ?? false;
        int? likeliest = (int?)fields.Integer("top_logprobs", 0, MostLikeliest);
        if (likeliest is not null && !scores)
        {
            throw ApiException.Field("top_logprobs", "needs logprobs: true");
        }

        // The name that replaced max_tokens there.
        common = common with { MaxTokens = (int?)fields.Integer("max_completion_tokens", 1, int.MaxValue) ?? common.MaxTokens };
        fields.Refuse("tools", "is not there", TextFields.IsEmpty);
        fields.Refuse("tool_choice", "is not there", value => RequestFields.Is(value, "none") || RequestFields.Is(value, "auto"));
        fields.Refuse("functions", "is not there", TextFields.IsEmpty);
        fields.Refuse("function_call", "is not there", value => RequestFields.Is(value, "none"));
        fields.Refuse("response_format", "only text is written", value => value.ValueKind == JsonValueKind.Object && value.TryGetProperty("type", out JsonElement type) && RequestFields.Is(type, "text"));
        fields.Refuse("modalities", "only text is written", value => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(item => RequestFields.Is(item, "text")));
        fields.Refuse("audio", "only text is written", _ => false);
        fields.Refuse("prediction", "is not there", _ => false);
        fields.Refuse("web_search_options", "is not there", _ => false);
        fields.Ignore("parallel_tool_calls", "reasoning_effort", "verbosity");
        fields.RequireKnown();

        int[] prompt = Prompt(Messages(messages), served);
        common = common with { Options = common.Options with { Stop = [.. common.Options.Stop, .. served.ChatEnd.Texts] } };
        return TextJob.Of(served, server, common, [prompt], [""], scores ? likeliest ?? 0 : null, fillsContext: true, served.ChatEnd.Tokens);
    }

    private static int[] Prompt(IReadOnlyList<ChatMessage> messages, ServedModel served)
    {
        string text;
        try
        {
            text = served.Chat.Render(messages, new ChatOptions { AddGenerationPrompt = true });
        }
        catch (UserException e)
        {
            throw ApiException.Field("messages", e.Message);
        }

        // The template has put what begins a text where it belongs.
        return served.Tokenizer.EncodePrompt(text) is { Length: > 0 } tokens ? tokens : Generator.PromptTokens(served.Tokenizer, text, specials: true);
    }

    private static List<ChatMessage> Messages(JsonElement messages)
    {
        if (messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            throw RequestFields.Wrong("messages", messages, "a list of at least one message");
        }

        var read = new List<ChatMessage>();
        foreach (JsonElement message in messages.EnumerateArray())
        {
            string at = $"messages.{read.Count}";
            if (message.ValueKind != JsonValueKind.Object)
            {
                throw RequestFields.Wrong(at, message, "an object with role and content");
            }

            string role = message.TryGetProperty("role", out JsonElement given) && given.ValueKind == JsonValueKind.String && given.GetString() is { Length: > 0 } name
                ? name
                : throw ApiException.Field($"{at}.role", "is missing; expected system, user or assistant");
            // A template may know more of a message than its text.
            read.Add(new ChatMessage(role, Content(message, $"{at}.content"))
            {
                Json = message.GetProperty("content").ValueKind == JsonValueKind.String && message.EnumerateObject().Count() > 2 ? message.Clone() : null,
            });
        }

        return read;
    }

    // Text, or a list of parts that are text.
    private static string Content(JsonElement message, string at)
    {
        if (!message.TryGetProperty("content", out JsonElement content))
        {
            throw ApiException.Field(at, "is missing");
        }

        if (content.ValueKind == JsonValueKind.String)
        {
            return content.GetString()!;
        }

        if (content.ValueKind != JsonValueKind.Array)
        {
            throw RequestFields.Wrong(at, content, "text");
        }

        return string.Concat(content.EnumerateArray().Select(part =>
            part.ValueKind == JsonValueKind.Object && part.TryGetProperty("type", out JsonElement type) && RequestFields.Is(type, "text")
                && part.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String
                ? text.GetString()
                : throw ApiException.Field(at, "has a part that is not text; only text is read")));
    }
}
