using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>From pieces back to text, as SentencePiece does it.</summary>
internal static class PieceDecoder
{
    /// <summary>U+2581, which stands for a space.</summary>
    public static ReadOnlySpan<byte> Space => [0xE2, 0x96, 0x81];

    /// <summary>The text of a piece, with spaces.</summary>
    public static byte[] Unescaped(ReadOnlySpan<byte> piece)
    {
        var text = new ByteBuffer();
        while (piece.IndexOf(Space) is var space and >= 0)
        {
            text.Add(piece[..space]);
            text.Add((byte)' ');
            piece = piece[(space + Space.Length)..];
        }

        text.Add(piece);
        return text.Span.ToArray();
    }

    public static string Decode(SentencePieceModel model, ReadOnlySpan<int> ids, Action<int> check)
    {
        var text = new ByteBuffer();
        var bytes = new List<byte>();
        bool first = true, sawSpace = false;
        foreach (int id in ids)
        {
            check(id);
            SentencePiece piece = model.Pieces[id];
            if (piece.Kind == PieceKind.Byte && ByteFallbackDecoder.ByteOf(piece.Text) is { } value)
            {
                bytes.Add(value);
                continue;
            }

            Flush(bytes, text);

            // Up to the first text, or the first space that is taken away.
            first &= !sawSpace && text.Count == 0;
            sawSpace = Add(model, piece, first, text);
        }

        Flush(bytes, text);
        return Encoding.UTF8.GetString(text.Span);
    }

    // True where the space that stands before every text was taken away.
    private static bool Add(SentencePieceModel model, SentencePiece piece, bool first, ByteBuffer text)
    {
        switch (piece.Kind)
        {
            case PieceKind.Control:
                return false;
            case PieceKind.Unknown:
                text.Add(Encoding.UTF8.GetBytes(model.UnknownSurface));
                return false;
        }

        ReadOnlySpan<byte> rest = piece.Text;
        bool space = first && (model.AddDummyPrefix || model.RemoveExtraWhitespaces) && rest.StartsWith(Space);
        text.Add(Unescaped(space ? rest[Space.Length..] : rest));
        return space && !model.RemoveExtraWhitespaces;
    }

    // What is not UTF-8 becomes U+FFFD, one for each byte.
    private static void Flush(List<byte> bytes, ByteBuffer text)
    {
        byte[] all = [.. bytes];
        for (int at = 0, length; at < all.Length; at += length)
        {
            if (CodePoints.Read(all, at, out length) == CodePoints.Invalid)
            {
                length = 1;
                text.Add("\uFFFD"u8);
            }
            else
            {
                text.Add(all.AsSpan(at, length));
            }
        }

        bytes.Clear();
    }
}
