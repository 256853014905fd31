using NanoFold.Engine.Text;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// Any bytes as tokens whose bytes, one after the other, are these: what the tokenizer gives, where its tokens are the text; otherwise the longest tokens that fit, up to the next word; and
/// bytes that no token begins with as they are. A tokenizer that sets a space before a text gives one byte more at the beginning.
/// </summary>
internal sealed class LosslessTokens
{
    // Text that is given to the tokenizer at once; less after it gave another text.
    private const int MostBytes = 1 << 16, FewBytes = 1 << 8;

    private readonly Tokenizer _tokenizer;
    private readonly ByteTrie _tokens = new();
    private readonly List<int> _found = [];
    private readonly bool _addsSpace;

    public LosslessTokens(Tokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        for (int id = 0; id < tokenizer.Vocab; id++)
        {
            if (tokenizer.BytesOf(id) is { IsEmpty: false } bytes)
            {
                _tokens.Add(bytes, id);
            }
        }

        _addsSpace = tokenizer.Decode(tokenizer.Encode("a")) is [(byte)' ', (byte)'a'];
    }

    /// <summary>A byte as it is, in place of a token; of what stands there, the byte.</summary>
    public static int Raw(int value) => -1 - value;

    /// <summary>The tokens of <paramref name="bytes"/>, or bytes as they are.</summary>
    /// <param name="bytes">Whatever they are.</param>
    /// <param name="symbols">Gets token ids, and <see cref="Raw"/> bytes.</param>
    /// <returns>Bytes at the beginning of what the symbols stand for that are not of the text: 0 or 1.</returns>
    public int Encode(ReadOnlySpan<byte> bytes, List<int> symbols)
    {
        int at = 0, most = MostBytes, before = _addsSpace && bytes is [not (byte)' ', ..] ? 1 : 0;
        if (before == 1)
        {
            int count = symbols.Count;
            at = Match(bytes, bytes[..Cut(bytes, most)], isAfterSpace: true, symbols);
            before = symbols.Count > count ? 1 : 0;
        }

        while (at < bytes.Length)
        {
            ReadOnlySpan<byte> rest = bytes[at..], piece = rest[..Cut(rest, most)];
            // The space that the tokenizer would set is there already.
            bool isAfterSpace = _addsSpace && piece is [(byte)' ', _, ..];
            int matched = Match(rest, isAfterSpace ? piece[1..] : piece, isAfterSpace: false, symbols);
            at += matched;
            if (matched == piece.Length)
            {
                most = Math.Min(MostBytes, 2 * most);
                continue;
            }

            at += Cover(bytes[at..], symbols);
            most = FewBytes;
        }

        return before;
    }

    // Takes the tokens of a piece while they are the text; returns how much of it they are.
    private int Match(ReadOnlySpan<byte> text, ReadOnlySpan<byte> piece, bool isAfterSpace, List<int> symbols)
    {
        _found.Clear();
        _tokenizer.Encode(piece, _found);
        int at = isAfterSpace ? -1 : 0;
        foreach (int token in _found)
        {
            ReadOnlySpan<byte> bytes = _tokenizer.BytesOf(token), left = bytes;
            if (at < 0)
            {
                if (bytes is not [(byte)' ', ..])
                {
                    return 0;
                }

                left = bytes[1..];
                at = 0;
            }

            if (bytes.IsEmpty || !text[at..].StartsWith(left))
            {
                break;
            }

            symbols.Add(token);
            at += left.Length;
        }

        return Math.Max(0, at);
    }

    // At least a byte, up to the end of the word.
    private int Cover(ReadOnlySpan<byte> text, List<int> symbols)
    {
        int at = 0;
        do
        {
            int token = _tokens.Longest(text[at..], out int length);
            symbols.Add(token >= 0 ? token : Raw(text[at]));
            at += Math.Max(1, length);
        }
        while (at < text.Length && text[at] is not ((byte)' ' or (byte)'\n'));
        return at;
    }

    // Where a piece ends: before a space or a line's end, or else before a character.
    private static int Cut(ReadOnlySpan<byte> text, int most)
    {
        if (text.Length <= most)
        {
            return text.Length;
        }

        int space = text[..most].LastIndexOfAny((byte)' ', (byte)'\n');
        if (space > 0)
        {
            return space;
        }

        int end = most;
        while (end > most - 4 && (text[end] & 0xc0) == 0x80)
        {
            end--;
        }

        return end;
    }
}
