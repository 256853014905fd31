namespace NanoFold.Engine.Text.Chat;

/// <summary>What ends an answer besides the tokenizer's own mark.</summary>
/// <param name="Tokens">Special tokens that the template puts after an answer.</param>
/// <param name="Texts">Where it puts none, the text that stands there.</param>
public sealed record ChatEnd(IReadOnlyList<int> Tokens, IReadOnlyList<string> Texts)
{
    private const string FirstMark = "\u2063answer\u2063", SecondMark = "\u2063question\u2063";

    /// <summary>Finds out from a conversation with marks in the places of answers; nothing where the template does not take one.</summary>
    public static ChatEnd Of(ChatTemplate template, Tokenizer tokenizer)
    {
        string end = After(template, new ChatMessage(ChatMessage.User, "question"), new ChatMessage(ChatMessage.Assistant, FirstMark));
        int[] ids = tokenizer.EncodePrompt(end.TrimStart());
        if (ids is [var first, ..] && tokenizer.Specials.Any(special => special.Id == first))
        {
            return new ChatEnd([first], []);
        }

        if (end.Trim().Length > 0)
        {
            return new ChatEnd([], [end.Trim()]);
        }

        // Nothing but the beginning of the next turn. An answer may have several lines.
        string next = After(template, new ChatMessage(ChatMessage.User, "question"), new ChatMessage(ChatMessage.Assistant, FirstMark), new ChatMessage(ChatMessage.User, SecondMark));
        string between = next.IndexOf(SecondMark, StringComparison.Ordinal) is > 0 and var at ? next[..at].TrimEnd() : "";
        return new ChatEnd([], between.Trim().Length > 0 ? [between] : []);
    }

    // The text after the first mark.
    private static string After(ChatTemplate template, params IReadOnlyList<ChatMessage> messages)
    {
        try
        {
            string text = template.Render(messages);
            return text.LastIndexOf(FirstMark, StringComparison.Ordinal) is >= 0 and var at ? text[(at + FirstMark.Length)..] : "";
        }
        catch (ChatTemplateException)
        {
            return "";
        }
    }
}
