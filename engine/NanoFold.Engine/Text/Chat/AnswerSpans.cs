namespace NanoFold.Engine.Text.Chat;

/// <summary>Where the answers stand in a conversation whose template does not say it.</summary>
internal static class AnswerSpans
{
    /// <summary>The spans of all turns of the assistant.</summary>
    /// <exception cref="ChatTemplateException">One of them does not stand in the text.</exception>
    public static IReadOnlyList<(int Start, int End)> Find(ChatTemplate template, IReadOnlyList<ChatMessage> messages, ChatOptions options, string text)
    {
        var spans = new List<(int Start, int End)>();
        for (int i = 0; i < messages.Count; i++)
        {
            if (messages[i].Role == ChatMessage.Assistant)
            {
                int from = spans.Count > 0 ? spans[^1].End : 0;
                spans.Add(ByPrefix(template, messages, i, options, text, from) ?? ByContent(template, messages, i, text, from));
            }
        }

        return spans;
    }

    private static (int Start, int End)? ByPrefix(ChatTemplate template, IReadOnlyList<ChatMessage> messages, int i, ChatOptions options, string text, int from)
    {
        string before, through;
        try
        {
            before = template.Render([.. messages.Take(i)], options with { AddGenerationPrompt = true, ContinueFinalMessage = false });
            through = i == messages.Count - 1 && !options.AddGenerationPrompt ? text : template.Render([.. messages.Take(i + 1)], options with { AddGenerationPrompt = false, ContinueFinalMessage = false });
        }
        catch (ChatTemplateException)
        {
            return null;
        }

        if (before.Length < from || !through.StartsWith(before, StringComparison.Ordinal) || !text.StartsWith(through, StringComparison.Ordinal))
        {
            return null;
        }

        string answer = through[before.Length..];
        string content = messages[i].Content.Trim();
        int at = answer.LastIndexOf(content, StringComparison.Ordinal);
        if (at < 0)
        {
            return null;
        }

        // White space after the mark that ends an answer is not the assistant's; where there is no such mark, it is the mark.
        string end = answer[(at + content.Length)..];
        return (before.Length, end.Trim().Length > 0 ? before.Length + answer.TrimEnd().Length : through.Length);
    }

    private static (int Start, int End) ByContent(ChatTemplate template, IReadOnlyList<ChatMessage> messages, int i, string text, int from)
    {
        // The text before may hold the same words: what is said before is passed over where it is found.
        int at = from;
        for (int j = 0; j < i; j++)
        {
            string earlier = messages[j].Content.Trim();
            int found = messages[j].Role != ChatMessage.Assistant && earlier.Length > 0 ? text.IndexOf(earlier, at, StringComparison.Ordinal) : -1;
            at = found >= 0 ? found + earlier.Length : at;
        }

        string content = messages[i].Content.Trim();
        int start = content.Length > 0 ? text.IndexOf(content, at, StringComparison.Ordinal) : -1;
        start = start < 0 && content.Length > 0 ? text.IndexOf(content, from, StringComparison.Ordinal) : start;
        return start >= 0 ? (start, start + content.Length)
            : throw new ChatTemplateException(template.Name, 0, "ValueError", $"turn {i + 1}, of the assistant, does not stand in the text, so that it cannot be told which tokens are its own");
    }
}
