using System.Runtime.InteropServices;
using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>
/// Makes a row of a context and a continuation, by the rules of the lm-evaluation-harness: both are encoded together, the continuation is what follows as many tokens as the context
/// has alone; white space at the end of the context goes to the continuation; what is too long loses its beginning.
/// </summary>
/// <param name="tokenizer">Of the model.</param>
/// <param name="context">Places of a row at most.</param>
/// <param name="begins">Whether every context begins with the token that begins a document; otherwise with what the tokenizer itself puts there, as some do.</param>
internal sealed class PromptEncoder(Tokenizer tokenizer, int context, bool begins)
{
    private readonly IReadOnlyList<int> _start = begins ? [tokenizer.Bos!.Value] : Added(tokenizer);

    /// <summary>The token before a text that has nothing before it; null where the tokenizer has none.</summary>
    public int? Prefix { get; } = tokenizer.Bos ?? tokenizer.Eos;

    /// <summary>The row.</summary>
    /// <param name="id">Of it.</param>
    /// <param name="before">The context.</param>
    /// <param name="continuation">What is asked about.</param>
    /// <param name="place">For messages.</param>
    /// <exception cref="UserException">The continuation has no tokens, or more than a row.</exception>
    public ScoredRow Row(long id, string before, string continuation, string place)
    {
        int spaces = TextSpaces.AtEnd(before);
        (before, continuation) = (before[..^spaces], before[^spaces..] + continuation);
        List<int> all = before.Length > 0 ? [.. _start] : [];
        int known = all.Count + tokenizer.Encode(before).Length;
        if (known == 0)
        {
            all.Add(Prefix ?? throw new UserException($"{place}: its context is empty, and the tokenizer has no token that begins a text"));
            known = 1;
        }

        Encode(before + continuation, all);
        int asked = all.Count - known;
        if (asked < 1)
        {
            throw new UserException($"{place}: '{continuation}' adds no token to what stands before it");
        }

        if (asked > context)
        {
            throw new UserException($"{place}: '{continuation[..Math.Min(continuation.Length, 40)]}…' has {asked} tokens, more than the model's context of {context}");
        }

        int length = Math.Min(context, all.Count - 1);
        return new SlidingWindow(0, Math.Min(asked, length), 0, length).Row(id, CollectionsMarshal.AsSpan(all)[^(length + 1)..]);
    }

    /// <summary>The tokens of a page, after that which begins a text where there is one.</summary>
    public int[] Page(string text)
    {
        List<int> all = Prefix is { } prefix ? [prefix] : [];
        Encode(text, all);
        return [.. all];
    }

    // What stands before a prompt is not all put there by the tokenizer's own file.
    private static IReadOnlyList<int> Added(Tokenizer tokenizer) =>
        tokenizer.EncodeComplete("", around: true).AsSpan().StartsWith(tokenizer.PromptStart.ToArray()) ? tokenizer.PromptStart : [];

    private void Encode(string text, List<int> ids) => tokenizer.Encode(Encoding.UTF8.GetBytes(text), ids);
}
