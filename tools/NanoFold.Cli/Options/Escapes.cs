using System.Globalization;
using System.Text;
using NanoFold.Engine;

namespace NanoFold.Cli.Options;

/// <summary>What <c>-e</c> makes of backslashes: line breaks and bytes that are hard to type.</summary>
internal static class Escapes
{
    /// <summary>For help and for what is wrong.</summary>
    public const string Known = @"\n \t \r \0 \e \\ \"" \' \xHH (a byte) \uHHHH";

    private static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The text that is meant.</summary>
    /// <param name="text">With escapes.</param>
    /// <param name="option">Where it was given, for the message.</param>
    /// <exception cref="UserException">An escape is unknown or not complete, or its bytes are no text.</exception>
    public static string Decode(string text, string option)
    {
        var bytes = new List<byte>();
        for (int i = 0; i < text.Length;)
        {
            int end = text.IndexOf('\\', i);
            end = end < 0 ? text.Length : end;
            bytes.AddRange(Encoding.UTF8.GetBytes(text[i..end]));
            i = end < text.Length ? Escape(text, end, bytes, option) : end;
        }

        try
        {
            return s_strict.GetString([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            throw UserException.Usage($"{option}: the bytes of '{text}' are not UTF-8 text");
        }
    }

    // Adds what the escape at a backslash stands for; returns the place after it.
    private static int Escape(string text, int at, List<byte> bytes, string option)
    {
        char kind = at + 1 < text.Length ? text[at + 1] : '\0';
        int after = at + 2;
        switch (kind)
        {
            case 'n' or 't' or 'r' or '0' or 'e' or '\\' or '"' or '\'':
                bytes.Add((byte)(kind switch { 'n' => '\n', 't' => '\t', 'r' => '\r', '0' => '\0', 'e' => '\e', _ => kind }));
                return after;
            case 'x' when Hex(text, after, 2) is { } value:
                bytes.Add((byte)value);
                return after + 2;
            case 'u' when Hex(text, after, 4) is { } value:
                return AddCharacter((char)value, text, after + 4, bytes, option);
            default:
                throw UserException.Usage($"{option}: '{text[at..Math.Min(text.Length, after)]}' is no escape; known with -e: {Known}");
        }
    }

    // A character beyond U+FFFF is written as two escapes, as in JSON.
    private static int AddCharacter(char value, string text, int after, List<byte> bytes, string option)
    {
        if (!char.IsSurrogate(value))
        {
            bytes.AddRange(Encoding.UTF8.GetBytes([value]));
            return after;
        }

        if (char.IsHighSurrogate(value) && text.AsSpan(after).StartsWith("\\u") && Hex(text, after + 2, 4) is { } low && char.IsLowSurrogate((char)low))
        {
            bytes.AddRange(Encoding.UTF8.GetBytes([value, (char)low]));
            return after + 6;
        }

        throw UserException.Usage($"{option}: '\\u{(int)value:x4}' is half of a character; give both halves");
    }

    private static int? Hex(string text, int at, int digits)
        => at + digits <= text.Length && int.TryParse(text.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) ? value : null;
}
