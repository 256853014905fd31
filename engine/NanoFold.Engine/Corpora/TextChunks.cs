using NanoFold.Engine.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Reads a piece of text in chunks that can be tokenized one by one: the cuts are where the tokenizer cuts
/// anyway. Text of <see cref="LargestChunk"/> bytes without such a place is cut before a space, or else at a character.
/// </summary>
internal static class TextChunks
{
    public const int LargestChunk = 1 << 24;
    private const int FirstChunk = 1 << 20;
    private static readonly ByteTokenizer s_bytes = new();

    /// <summary>The chunks in order; each is valid until the next is asked for.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(TextPiece piece, int chunkBytes = FirstChunk, Tokenizer? tokenizer = null)
    {
        using Stream stream = piece.Document.Open(piece.From);
        byte[] buffer = new byte[(int)Math.Min(chunkBytes, piece.Bytes)];
        int held = 0;
        for (long left = piece.Bytes; left > 0;)
        {
            int more = (int)Math.Min(buffer.Length - held, left);
            piece.Document.Fill(stream, buffer.AsSpan(held, more));
            held += more;
            left -= more;
            int cut = left == 0 ? held : LastCut(buffer.AsSpan(0, held), tokenizer ?? s_bytes);
            if (cut == 0)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
                continue;
            }

            yield return buffer.AsMemory(0, cut);
            buffer.AsSpan(cut, held - cut).CopyTo(buffer);
            held -= cut;
        }
    }

    private static int LastCut(ReadOnlySpan<byte> text, Tokenizer tokenizer)
    {
        int place = tokenizer.CutBefore(text);
        if (place > 0 || text.Length < LargestChunk)
        {
            return place;
        }

        place = Tokenizer.LastLetterBeforeSpace(text);
        if (place > 0)
        {
            return place;
        }

        int end = text.Length - 1;
        while (end > text.Length - 4 && end > 0 && (text[end] & 0xC0) == 0x80)
        {
            end--;
        }

        return end;
    }
}
