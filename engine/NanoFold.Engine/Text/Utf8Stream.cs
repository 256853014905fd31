using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// Turns bytes that arrive in pieces (the tokens of a running generation) into text. A multi-byte character comes out
/// whole, once its last byte is there; bytes that are not UTF-8 become U+FFFD.
/// </summary>
public sealed class Utf8Stream
{
    private readonly Decoder _decoder = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: false).GetDecoder();

    /// <summary>The text that <paramref name="bytes"/> completes; empty while a character is still incomplete.</summary>
    public string Write(ReadOnlySpan<byte> bytes) => Decode(bytes, flush: false);

    /// <summary>Ends the stream: an incomplete character becomes U+FFFD. The stream can then be used afresh.</summary>
    public string Flush() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        int count = _decoder.GetCharCount(bytes, flush);
        if (count == 0)
        {
            // The incomplete bytes must still be taken in.
            _decoder.GetChars(bytes, [], flush);
            return "";
        }

        char[] chars = new char[count];
        return new string(chars, 0, _decoder.GetChars(bytes, chars, flush));
    }
}
