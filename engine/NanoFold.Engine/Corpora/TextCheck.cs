using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace NanoFold.Engine.Corpora;

/// <summary>Tells text from what is not, by its bytes.</summary>
internal static class TextCheck
{
    /// <summary>How much of a file is looked at before it counts as text.</summary>
    public const int HeadBytes = 1 << 16;

    /// <summary>Above this share of bytes that are not UTF-8, a file is not taken for text in UTF-8.</summary>
    private const double LargestInvalidShare = 0.1;

    /// <summary>The UTF-8 byte order mark, which is not part of a text.</summary>
    public static ReadOnlySpan<byte> Mark => [0xEF, 0xBB, 0xBF];

    /// <summary>What is wrong with a file that begins with <paramref name="head"/> and what to do, or null.</summary>
    public static string? Problem(ReadOnlySpan<byte> head)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || head.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            return "is UTF-16: convert it to UTF-8";
        }

        int nul = head.IndexOf((byte)0);
        if (nul >= 0)
        {
            return NulAt(nul);
        }

        return !Utf8.IsValid(head) && InvalidBytes(head) > Math.Max(3, head.Length * LargestInvalidShare)
            ? "is not UTF-8 text: convert it to UTF-8 or name another file"
            : null;
    }

    /// <summary>What to say of a NUL byte.</summary>
    public static string NulAt(long offset) => $"is not text (a NUL byte at {offset}): name a text file";

    private static int InvalidBytes(ReadOnlySpan<byte> text)
    {
        int invalid = 0;
        while (!text.IsEmpty)
        {
            invalid += Rune.DecodeFromUtf8(text, out _, out int length) == OperationStatus.Done ? 0 : length;
            text = text[length..];
        }

        return invalid;
    }
}
