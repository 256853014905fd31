using System.Buffers;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>Reading UTF-8 that may not be UTF-8: what is not stands as <see cref="Invalid"/>, which is in no class of Unicode.</summary>
internal static class CodePoints
{
    /// <summary>In place of bytes that are not UTF-8; one beyond the last code point.</summary>
    public const int Invalid = 0x110000;

    /// <summary>The code point that begins at <paramref name="at"/>, and how many bytes it has.</summary>
    public static int Read(ReadOnlySpan<byte> text, int at, out int length)
    {
        int first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return first;
        }

        if (first is >= 0xC2 and < 0xE0 && at + 1 < text.Length && (text[at + 1] & 0xC0) == 0x80)
        {
            length = 2;
            return ((first & 0x1F) << 6) | (text[at + 1] & 0x3F);
        }

        if (first is >= 0xE1 and < 0xF0 and not 0xED && at + 2 < text.Length && (text[at + 1] & 0xC0) == 0x80 && (text[at + 2] & 0xC0) == 0x80)
        {
            length = 3;
            return ((first & 0x0F) << 12) | ((text[at + 1] & 0x3F) << 6) | (text[at + 2] & 0x3F);
        }

        return Rune.DecodeFromUtf8(text[at..], out Rune rune, out length) == OperationStatus.Done ? rune.Value : Invalid;
    }

    /// <summary>Writes the UTF-8 of a code point and gives its length.</summary>
    public static int Write(int point, Span<byte> bytes) => new Rune(point).EncodeToUtf8(bytes);

    /// <summary>The code points of a text.</summary>
    public static int[] Of(string text) => [.. text.EnumerateRunes().Select(rune => rune.Value)];

    /// <summary>Where the character before <paramref name="end"/> begins.</summary>
    public static int Before(ReadOnlySpan<byte> text, int end)
    {
        Rune.DecodeLastFromUtf8(text[..end], out _, out int length);
        return end - Math.Max(1, length);
    }
}
