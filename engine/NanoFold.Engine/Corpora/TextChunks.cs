using NanoFold.Engine.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Reads a piece of text in chunks that can be tokenized one by one: the cuts are where <see cref="PreTokenizer"/> cuts
/// anyway. Text of <see cref="LargestChunk"/> bytes without such a place is cut at a character.
/// </summary>
internal static class TextChunks
{
    public const int LargestChunk = 1 << 24;
    private const int FirstChunk = 1 << 20;

    /// <summary>The chunks in order; each is valid until the next is asked for.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(TextPiece piece, int chunkBytes = FirstChunk)
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
            int cut = left == 0 ? held : LastCut(buffer.AsSpan(0, held));
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

    private static int LastCut(ReadOnlySpan<byte> text)
    {
        for (int place = text.Length - 1; place > 0; place--)
        {
            if (PreTokenizer.MayCutAt(text, place))
            {
                return place;
            }
        }

        int end = text.Length < LargestChunk ? 0 : text.Length - 1;
        while (end > text.Length - 4 && end > 0 && (text[end] & 0xC0) == 0x80)
        {
            end--;
        }

        return end;
    }
}
