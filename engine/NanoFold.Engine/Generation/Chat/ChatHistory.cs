using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Generation;

/// <summary>A conversation as far as it fits into a context.</summary>
/// <param name="Messages">What is kept.</param>
/// <param name="Ids">Its tokens, with the beginning of an answer.</param>
/// <param name="Dropped">Messages that were left out: the oldest ones after what stands before the first question.</param>
public sealed record ChatHistory(IReadOnlyList<ChatMessage> Messages, int[] Ids, int Dropped)
{
    /// <summary>Leaves whole turns out, a question with all up to the next one, until there is room.</summary>
    /// <param name="template">How it is written.</param>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="messages">All of it; the last is the question.</param>
    /// <param name="most">Tokens that it may have.</param>
    /// <param name="options">What else it is rendered with.</param>
    /// <exception cref="UserException">The template refuses it, or the last question alone is too long.</exception>
    public static ChatHistory Fit(ChatTemplate template, Tokenizer tokenizer, IReadOnlyList<ChatMessage> messages, int most, ChatOptions? options = null)
    {
        options = (options ?? new ChatOptions()) with { AddGenerationPrompt = true };
        int head = messages.TakeWhile(message => message.Role != ChatMessage.User).Count();
        for (int from = head; ;)
        {
            ChatMessage[] kept = [.. messages.Take(head), .. messages.Skip(from)];
            int[] ids = template.Encode(kept, tokenizer, options);
            if (ids.Length <= most)
            {
                return new ChatHistory(kept, ids, from - head);
            }

            int next = from + 1;
            while (next < messages.Count && messages[next].Role != ChatMessage.User)
            {
                next++;
            }

            if (next >= messages.Count)
            {
                throw new UserException($"the message is too long: {Display.Count(ids.Length, "token")} with what stands before it, where {Display.Count(most)} leave room for an answer");
            }

            from = next;
        }
    }
}
