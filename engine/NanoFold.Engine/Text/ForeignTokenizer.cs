using System.Buffers;
using System.Buffers.Text;

namespace NanoFold.Engine.Text;

/// <summary>Files of tokenizers that are no <c>tokenizer.json</c>, told by how they begin, so that they are refused by name.</summary>
internal static class ForeignTokenizer
{
    private const int LongestPiece = 128;

    /// <summary>What a file is, or null where it may be JSON.</summary>
    public static string? NameOf(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> text = bytes.TrimStart("\uFEFF \t\r\n"u8);
        return text switch
        {
            [] or [(byte)'{', ..] or [(byte)'[', ..] => null,
            _ when text.StartsWith("#version"u8) => "a list of merges (merges.txt)",
            _ when IsSentencePiece(bytes) => "a SentencePiece model",
            _ when IsTiktoken(text) => "a tiktoken vocabulary",
            [0x50, 0x4B, ..] or [0x1F, 0x8B, ..] => "a compressed file",
            _ => null,
        };
    }

    // A message of protocol buffers whose first field is a piece: tag 0x0A, its length, then its text, tag 0x0A and length again.
    private static bool IsSentencePiece(ReadOnlySpan<byte> bytes)
        => bytes is [0x0A, < LongestPiece, 0x0A, < LongestPiece, ..] && bytes[3] < bytes[1];

    // "IQ== 0": a token in base64 and its rank, a line each.
    private static bool IsTiktoken(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOfAny((byte)'\n', (byte)'\r');
        ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
        int space = line.IndexOf((byte)' ');
        return space > 0 && Base64.IsValid(line[..space]) && line[(space + 1)..] is [_, ..] rank && rank.IndexOfAnyExcept(s_digits) < 0;
    }

    private static readonly SearchValues<byte> s_digits = SearchValues.Create("0123456789"u8);
}
