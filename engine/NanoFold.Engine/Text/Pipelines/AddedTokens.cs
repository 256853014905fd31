using System.Buffers;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>A token that is found in a text before the model cuts it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
internal sealed record AddedToken(int Id, string Content)
{
    /// <summary>Not next to a letter, digit or underscore.</summary>
    public bool SingleWord { get; init; }

    /// <summary>Swallows white space before it.</summary>
    public bool Left { get; init; }

    /// <summary>Swallows white space after it.</summary>
    public bool Right { get; init; }

    /// <summary>Sought in the normalized text.</summary>
    public bool Normalized { get; init; }

    /// <summary>Stands for no text: left out of what is decoded, and sought in prompts only where asked.</summary>
    public bool Special { get; init; }
}

/// <summary>Finds added tokens: the leftmost, and of those that begin there the longest or, where <c>first</c> is set, the first of the list.</summary>
internal sealed class AddedTokens
{
    private readonly AddedToken[] _tokens;
    private readonly ByteTrie _trie = new();
    private readonly SearchValues<byte> _firsts;
    private readonly bool _first;

    /// <param name="tokens">The tokens and what each is sought as.</param>
    /// <param name="first">Of several at one place, the first of the list is taken.</param>
    public AddedTokens(IReadOnlyList<(AddedToken Token, byte[] Sought)> tokens, bool first = false)
    {
        _first = first;
        _tokens = [.. tokens.Select(token => token.Token)];
        for (int i = 0; i < tokens.Count; i++)
        {
            if (tokens[i].Sought.Length > 0)
            {
                _trie.Add(tokens[i].Sought, i);
            }
        }

        _firsts = SearchValues.Create([.. tokens.Where(token => token.Sought.Length > 0).Select(token => token.Sought[0]).Distinct()]);
        HasPlain = _tokens.Any(token => !token.Special);
        Any = _tokens.Length > 0;
        MayCutAfterLetters = tokens.All(token => Allows(token.Token, Encoding.UTF8.GetString(token.Sought)));
    }

    /// <summary>Whether there are any.</summary>
    public bool Any { get; }

    /// <summary>Whether some are not special.</summary>
    public bool HasPlain { get; }

    /// <summary>Whether none is lost where a text is cut between an ASCII letter and a space.</summary>
    public bool MayCutAfterLetters { get; }

    /// <summary>
    /// The next one from <paramref name="from"/> on; <paramref name="free"/> is where white space may be swallowed from. Where <paramref name="specials"/> are not wanted, what is one
    /// stays text, also where a shorter token stands in it.
    /// </summary>
    public AddedToken? Find(ReadOnlySpan<byte> text, int from, int free, bool specials, out int start, out int end, out int next)
    {
        for (int at = from; at < text.Length;)
        {
            int found = text[at..].IndexOfAny(_firsts);
            if (found < 0)
            {
                break;
            }

            at += found;
            int index = _first ? _trie.Least(text[at..], out int length) : _trie.Longest(text[at..], out length);
            if (index < 0)
            {
                at++;
                continue;
            }

            AddedToken token = _tokens[index];
            (start, end, next) = (at, at + length, at + length);
            at = end;
            if ((token.Special && !specials) || (token.SingleWord && (IsWordBefore(text, start) || IsWordAt(text, end))))
            {
                continue;
            }

            start = token.Left ? Math.Max(free, Math.Min(start, WhiteSpace.AtEnd(text[..start]))) : start;
            end += token.Right ? WhiteSpace.AtStart(text[end..]) : 0;
            return token;
        }

        start = end = next = text.Length;
        return null;
    }

    private static bool IsWordBefore(ReadOnlySpan<byte> text, int at) =>
        at > 0 && UnicodeClasses.RustWord.Contains(CodePoints.Read(text, CodePoints.Before(text, at), out _));

    private static bool IsWordAt(ReadOnlySpan<byte> text, int at) => at < text.Length && UnicodeClasses.RustWord.Contains(CodePoints.Read(text, at, out _));

    private static bool Allows(AddedToken token, string sought)
    {
        for (int i = 1; i < sought.Length; i++)
        {
            if (char.IsAsciiLetter(sought[i - 1]) && sought[i] == ' ')
            {
                return false;
            }
        }

        return !((token.Right || token.SingleWord) && sought.Length > 0 && char.IsAsciiLetter(sought[^1]));
    }
}
