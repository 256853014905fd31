using System.Buffers.Binary;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// llama2.c's <c>tokenizer.bin</c>: the longest token's length (int32), then of each token its score (float32), its length (int32) and its bytes. Token 0 is unknown, 1 and 2 begin and end a
/// document, 3 to 258 are the bytes. It is a SentencePiece BPE whose spaces are written out.
/// </summary>
internal static class Llama2CFile
{
    private const int Header = 8;
    private const int FirstByte = 3;
    private static readonly byte[] s_unknown = "<unk>"u8.ToArray();

    public static bool Is(ReadOnlySpan<byte> file) =>
        file.Length > 4 + Header + s_unknown.Length
        && BinaryPrimitives.ReadInt32LittleEndian(file) is > 0 and < 1 << 16
        && BinaryPrimitives.ReadInt32LittleEndian(file[8..]) == s_unknown.Length
        && file[12..].StartsWith(s_unknown);

    /// <exception cref="FormatException">It ends within a token.</exception>
    public static SentencePieceModel Read(ReadOnlySpan<byte> file)
    {
        var pieces = new List<SentencePiece>();
        for (int at = 4; at < file.Length;)
        {
            int length = at + Header <= file.Length ? BinaryPrimitives.ReadInt32LittleEndian(file[(at + 4)..]) : -1;
            if (length <= 0 || length > file.Length - at - Header)
            {
                throw new FormatException($"it ends within token {pieces.Count}");
            }

            float score = BinaryPrimitives.ReadSingleLittleEndian(file[at..]);
            if (!float.IsFinite(score))
            {
                throw new FormatException($"the score of token {pieces.Count} is no number");
            }

            pieces.Add(PieceOf(pieces.Count, file.Slice(at + Header, length), score));
            at += Header + length;
        }

        return new SentencePieceModel { Pieces = pieces, Method = PieceMethod.Bpe, ByteFallback = true, RemoveExtraWhitespaces = false };
    }

    /// <summary>The same as a file. Pieces that are neither text nor bytes stand by their names.</summary>
    public static byte[] Write(SentencePieceModel model)
    {
        var file = new ByteBuffer();
        Span<byte> number = stackalloc byte[4];
        byte[][] texts = [.. model.Pieces.Select((piece, id) => id is 1 or 2 ? Encoding.UTF8.GetBytes(id == 1 ? "\n<s>\n" : "\n</s>\n") : PieceDecoder.Unescaped(piece.Text))];
        BinaryPrimitives.WriteInt32LittleEndian(number, texts.Max(text => text.Length));
        file.Add(number);
        for (int id = 0; id < texts.Length; id++)
        {
            BinaryPrimitives.WriteSingleLittleEndian(number, model.Pieces[id].Score);
            file.Add(number);
            BinaryPrimitives.WriteInt32LittleEndian(number, texts[id].Length);
            file.Add(number);
            file.Add(texts[id]);
        }

        return file.Span.ToArray();
    }

    private static SentencePiece PieceOf(int id, ReadOnlySpan<byte> text, float score) => id switch
    {
        0 => new SentencePiece(s_unknown, score, PieceKind.Unknown),
        1 => new SentencePiece("<s>"u8.ToArray(), score, PieceKind.Control),
        2 => new SentencePiece("</s>"u8.ToArray(), score, PieceKind.Control),
        < FirstByte + 256 when ByteFallbackDecoder.ByteOf(text) is not null => new SentencePiece(text.ToArray(), score, PieceKind.Byte),
        _ => new SentencePiece(Escaped(text), score, PieceKind.Normal),
    };

    private static byte[] Escaped(ReadOnlySpan<byte> text)
    {
        var piece = new ByteBuffer();
        foreach (byte value in text)
        {
            piece.Add(value == ' ' ? PieceDecoder.Space : [value]);
        }

        return piece.Span.ToArray();
    }
}
