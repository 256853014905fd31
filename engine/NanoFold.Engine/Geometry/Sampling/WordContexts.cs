using System.Text;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>A word within text: the tokens before it, and which of them are of the word.</summary>
/// <param name="Tokens">Up to the word's last token, the last ones where there are more than the context holds.</param>
/// <param name="Length">How many tokens at the end are of the word, also in part.</param>
public sealed record WordContext(int[] Tokens, int Length)
{
    /// <summary>Finds a word in lines of text: its last occurrence in each, with what stands before it.</summary>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="word">Letters of an alphabet on both sides of it make it a part of another word; signs of scripts without spaces do not.</param>
    /// <param name="lines">Of text; those without the word are left out.</param>
    /// <param name="context">The most tokens.</param>
    public static IReadOnlyList<WordContext> Find(Tokenizer tokenizer, string word, IEnumerable<string> lines, int context)
    {
        List<WordContext> found = [];
        foreach (string line in lines)
        {
            if (LastIndex(line, word) is var at and >= 0 && Cut(tokenizer, line[..(at + word.Length)], at, context) is { } one)
            {
                found.Add(one);
            }
        }

        return found;
    }

    // A token may hold the end of the word and more, so the whole text up to the word's end is tokenized alone.
    private static WordContext? Cut(Tokenizer tokenizer, string text, int at, int context)
    {
        int before = Encoding.UTF8.GetByteCount(text.AsSpan(0, at)), bytes = 0, length = 0;
        int[] tokens = tokenizer.Encode(text);
        foreach (int token in tokens)
        {
            bytes += tokenizer.BytesOf(token).Length;
            length += bytes > before ? 1 : 0;
        }

        return length <= context ? new WordContext(tokens[Math.Max(0, tokens.Length - context)..], length) : null;
    }

    private static int LastIndex(string line, string word)
    {
        for (int at = line.LastIndexOf(word, StringComparison.Ordinal); at >= 0; at = at > 0 ? line.LastIndexOf(word, at - 1, StringComparison.Ordinal) : -1)
        {
            int end = at + word.Length;
            if ((at == 0 || !Joins(line[at - 1], word[0])) && (end == line.Length || !Joins(line[end], word[^1])))
            {
                return at;
            }
        }

        return -1;
    }

    // Two letters of alphabets, or digits; from U+2E80 on scripts write words without spaces.
    private static bool Joins(char a, char b) => a < '⺀' && b < '⺀' && char.IsLetterOrDigit(a) && char.IsLetterOrDigit(b);
}
