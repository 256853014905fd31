using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>A step from the texts of tokens back to text.</summary>
internal abstract class TokenDecoder
{
    /// <summary>Changes the texts of a sequence of tokens. Their bytes may be no UTF-8.</summary>
    public abstract List<byte[]> Decode(List<byte[]> tokens);

    /// <summary>What becomes of one token in the middle of a text.</summary>
    public abstract byte[] Middle(byte[] token);
}

/// <summary>From the characters of <see cref="ByteUnicode"/> to bytes; a token with another character stays as it is. All tokens become one.</summary>
internal sealed class ByteLevelDecoder : TokenDecoder
{
    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens)
        => [Encoding.UTF8.GetBytes(Encoding.UTF8.GetString([.. tokens.SelectMany(Middle)]))];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => ByteUnicode.TryDecode(Encoding.UTF8.GetString(token), out byte[]? bytes) ? bytes : token;
}

/// <summary>Tokens such as <c>&lt;0xE4&gt;</c> become bytes: those in a row the characters that they are, or U+FFFD for each where they are not UTF-8.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    /// <summary>The byte that a token stands for, if it does.</summary>
    public static byte? ByteOf(ReadOnlySpan<byte> token) =>
        token.Length == 6 && token.StartsWith("<0x"u8) && token[5] == '>' && char.IsAsciiHexDigit((char)token[3]) && char.IsAsciiHexDigit((char)token[4])
            ? Convert.FromHexString(Encoding.ASCII.GetString(token[3..5]))[0]
            : null;

    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens)
    {
        var result = new List<byte[]>();
        var bytes = new List<byte>();
        foreach (byte[] token in tokens)
        {
            if (ByteOf(token) is { } value)
            {
                bytes.Add(value);
                continue;
            }

            Flush(bytes, result);
            result.Add(token);
        }

        Flush(bytes, result);
        return result;
    }

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => ByteOf(token) is { } value ? [value] : token;

    private static void Flush(List<byte> bytes, List<byte[]> result)
    {
        if (bytes.Count == 0)
        {
            return;
        }

        try
        {
            s_strict.GetCharCount([.. bytes]);
            result.Add([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            result.AddRange(bytes.Select(_ => "\uFFFD"u8.ToArray()));
        }

        bytes.Clear();
    }
}

/// <summary>One text in place of another, within each token.</summary>
internal sealed class ReplaceDecoder(Normalizer replace) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens) => [.. tokens.Select(Middle)];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token)
    {
        var output = new ByteBuffer();
        if (token.Length > 0)
        {
            replace.Apply(token, output);
        }

        return output.Span.ToArray();
    }
}

/// <summary>All tokens become one.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens) => [[.. tokens.SelectMany(token => token)]];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => token;
}

/// <summary>Takes a character so many times from the start and the end of each token.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : TokenDecoder
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens) => [.. tokens.Select(Strip)];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => token;

    private byte[] Strip(byte[] token)
    {
        ReadOnlySpan<byte> rest = token;
        for (int i = 0; i < start && rest.StartsWith(_content); i++)
        {
            rest = rest[_content.Length..];
        }

        for (int i = 0; i < stop && rest.EndsWith(_content); i++)
        {
            rest = rest[..^_content.Length];
        }

        return rest.ToArray();
    }
}

/// <summary>The character that stands for a space becomes one; in the first token it vanishes, if it was put there.</summary>
internal sealed class MetaspaceDecoder(string replacement, PrefixScheme prefix) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens)
        => [.. tokens.Select((token, i) => Replace(token, i == 0 && prefix != PrefixScheme.Never ? "" : " "))];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => Replace(token, " ");

    private byte[] Replace(byte[] token, string with)
    {
        var output = new ByteBuffer();
        new ReplaceNormalizer(replacement, with).Apply(token, output);
        return output.Span.ToArray();
    }
}

/// <summary>The prefix of a token that goes on with a word vanishes; before any other stands a space. Cleaned up, spaces before signs vanish.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    private static readonly (string, string)[] s_cleanings =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens) => [.. tokens.Select((token, i) => Change(token, i == 0))];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => Change(token, first: false);

    private byte[] Change(byte[] token, bool first)
    {
        string text = Encoding.UTF8.GetString(token);
        text = first ? text : text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : " " + text;
        if (cleanup)
        {
            text = s_cleanings.Aggregate(text, (changed, pair) => changed.Replace(pair.Item1, pair.Item2, StringComparison.Ordinal));
        }

        return Encoding.UTF8.GetBytes(text);
    }
}

/// <summary>The suffix of a word's end becomes a space, but in the last token.</summary>
internal sealed class SuffixDecoder(string suffix) : TokenDecoder
{
    /// <inheritdoc/>
    public override List<byte[]> Decode(List<byte[]> tokens) => [.. tokens.Select((token, i) => Change(token, i == tokens.Count - 1 ? "" : " "))];

    /// <inheritdoc/>
    public override byte[] Middle(byte[] token) => Change(token, " ");

    private byte[] Change(byte[] token, string with) => suffix.Length == 0
        ? token
        : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(token).Replace(suffix, with, StringComparison.Ordinal));
}
