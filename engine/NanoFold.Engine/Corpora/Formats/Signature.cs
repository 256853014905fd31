using System.Text;

namespace NanoFold.Engine.Corpora.Formats;

/// <summary>What a file is, by its first bytes.</summary>
internal static class Signature
{
    // Where it stands, the bytes, what such a file is.
    private static readonly (int At, byte[] Magic, string Name)[] s_foreign =
    [
        (0, [0x50, 0x4B, 0x03, 0x04], "a zip archive"),
        (0, [0x50, 0x4B, 0x05, 0x06], "a zip archive"),
        (257, [.. "ustar"u8], "a tar archive"),
        (0, [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "a 7z archive"),
        (0, [.. "Rar!\x1A"u8], "a rar archive"),
        (0, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00], "compressed with xz"),
        (0, [0x04, 0x22, 0x4D, 0x18], "compressed with lz4"),
        (4, [.. "1AY&SY"u8], "compressed with bzip2"),
        (0, [.. "ARROW1"u8], "an Arrow file"),
        (0, [.. "%PDF-"u8], "a PDF"),
    ];

    // UTF-32's mark begins with UTF-16's.
    private static readonly Encoding[] s_wide =
    [
        new UTF32Encoding(bigEndian: false, byteOrderMark: true, throwOnInvalidCharacters: true),
        new UTF32Encoding(bigEndian: true, byteOrderMark: true, throwOnInvalidCharacters: true),
        new UnicodeEncoding(bigEndian: false, byteOrderMark: true, throwOnInvalidBytes: true),
        new UnicodeEncoding(bigEndian: true, byteOrderMark: true, throwOnInvalidBytes: true),
    ];

    /// <summary>The UTF-8 byte order mark, which is not part of a text.</summary>
    public static ReadOnlySpan<byte> Utf8Mark => [0xEF, 0xBB, 0xBF];

    public static bool IsGzip(ReadOnlySpan<byte> head) => head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]);

    // A frame, or one that is to be skipped, which some writers put first.
    public static bool IsZstd(ReadOnlySpan<byte> head)
        => head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]) || (head.Length >= 4 && (head[0] & 0xF0) == 0x50 && head[1..].StartsWith((ReadOnlySpan<byte>)[0x2A, 0x4D, 0x18]));

    public static bool IsParquet(ReadOnlySpan<byte> head) => head.StartsWith("PAR1"u8) || head.StartsWith("PARE"u8);

    /// <summary>The encoding that a byte order mark names, but for UTF-8; null without such a mark.</summary>
    public static Encoding? Wide(ReadOnlySpan<byte> head)
    {
        foreach (Encoding encoding in s_wide)
        {
            if (head.StartsWith(encoding.Preamble))
            {
                return encoding;
            }
        }

        return null;
    }

    /// <summary>What text without a byte order mark is encoded in, by its zeros at every other byte, for messages; null where it is not so.</summary>
    public static string? WideByZeros(ReadOnlySpan<byte> head)
    {
        Span<int> zeros = [0, 0];
        for (int i = 0; i < head.Length; i++)
        {
            zeros[i & 1] += head[i] == 0 ? 1 : 0;
        }

        int most = head.Length / 2 * 3 / 4, least = head.Length / 20;
        return head.Length < 4 ? null : zeros[1] > most && zeros[0] <= least ? "UTF-16LE" : zeros[0] > most && zeros[1] <= least ? "UTF-16BE" : null;
    }

    /// <summary>What a file that is not read is: <c>a zip archive</c>; null where it may be text.</summary>
    public static string? Foreign(ReadOnlySpan<byte> head)
    {
        foreach ((int at, byte[] magic, string name) in s_foreign)
        {
            if (head.Length > at && head[at..].StartsWith(magic))
            {
                return name;
            }
        }

        return null;
    }
}
