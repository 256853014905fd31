using System.Buffers.Binary;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>A SentencePiece model's file, a message of protocol buffers: pieces (1), what its trainer was told (2), normalization (3).</summary>
internal static class SentencePieceFile
{
    /// <exception cref="FormatException">It is damaged or of a kind that is not supported.</exception>
    public static SentencePieceModel Read(ReadOnlySpan<byte> file)
    {
        var pieces = new List<SentencePiece>();
        var model = new SentencePieceModel { Pieces = pieces };
        var fields = new ProtoFields(file);
        while (fields.Next())
        {
            switch (fields.Field)
            {
                case 1:
                    pieces.Add(ReadPiece(fields.Bytes));
                    break;
                case 2:
                    model = ReadTrainer(fields.Bytes, model);
                    break;
                case 3:
                    model = ReadNormalizer(fields.Bytes, model);
                    break;
            }
        }

        if (pieces.Count == 0)
        {
            throw new FormatException("it has no pieces");
        }

        if (pieces.Count(piece => piece.Kind == PieceKind.Unknown) != 1)
        {
            throw new FormatException("it needs one unknown piece");
        }

        return model.Method == PieceMethod.Word || !Enum.IsDefined(model.Method)
            ? throw new FormatException($"a model of words ({(int)model.Method}) is not supported, only BPE, Unigram and characters")
            : model with { BosId = InRange(model.BosId, pieces.Count), EosId = InRange(model.EosId, pieces.Count) };
    }

    /// <summary>The same as a file.</summary>
    public static byte[] Write(SentencePieceModel model)
    {
        var output = new ByteBuffer();
        Span<byte> score = stackalloc byte[4];
        foreach (SentencePiece piece in model.Pieces)
        {
            var part = new ByteBuffer();
            Bytes(part, 1, piece.Text);
            BinaryPrimitives.WriteSingleLittleEndian(score, piece.Score);
            Tag(part, 2, 5);
            part.Add(score);
            Number(part, 3, (long)piece.Kind);
            Bytes(output, 1, part.Span);
        }

        var trainer = new ByteBuffer();
        Number(trainer, 3, (long)model.Method);
        Number(trainer, 24, model.WhitespaceAsSuffix ? 1 : 0);
        Number(trainer, 35, model.ByteFallback ? 1 : 0);
        Number(trainer, 41, model.BosId);
        Number(trainer, 42, model.EosId);
        Bytes(trainer, 44, Encoding.UTF8.GetBytes(model.UnknownSurface));
        Bytes(output, 2, trainer.Span);

        var normalizer = new ByteBuffer();
        Bytes(normalizer, 2, model.CharsMap.Span);
        Number(normalizer, 3, model.AddDummyPrefix ? 1 : 0);
        Number(normalizer, 4, model.RemoveExtraWhitespaces ? 1 : 0);
        Number(normalizer, 5, model.EscapeWhitespaces ? 1 : 0);
        Bytes(output, 3, normalizer.Span);
        return output.Span.ToArray();
    }

    private static int InRange(int id, int count) => id < count ? Math.Max(-1, id) : -1;

    private static SentencePiece ReadPiece(ReadOnlySpan<byte> message)
    {
        var piece = new SentencePiece([], 0, PieceKind.Normal);
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            piece = fields.Field switch
            {
                1 => piece with { Text = fields.Bytes.ToArray() },
                2 => piece with { Score = fields.Single },
                3 => piece with { Kind = (PieceKind)fields.Number },
                _ => piece,
            };
        }

        return piece.Text.Length == 0 || !float.IsFinite(piece.Score) || !Enum.IsDefined(piece.Kind) ? throw new FormatException("a piece is damaged") : piece;
    }

    private static SentencePieceModel ReadTrainer(ReadOnlySpan<byte> message, SentencePieceModel model)
    {
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            model = fields.Field switch
            {
                3 => model with { Method = (PieceMethod)fields.Number },
                24 => model with { WhitespaceAsSuffix = fields.Number != 0 },
                35 => model with { ByteFallback = fields.Number != 0 },
                41 => model with { BosId = (int)(long)fields.Number },
                42 => model with { EosId = (int)(long)fields.Number },
                44 => model with { UnknownSurface = Encoding.UTF8.GetString(fields.Bytes) },
                _ => model,
            };
        }

        return model;
    }

    private static SentencePieceModel ReadNormalizer(ReadOnlySpan<byte> message, SentencePieceModel model)
    {
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            model = fields.Field switch
            {
                2 => model with { CharsMap = fields.Bytes.ToArray() },
                3 => model with { AddDummyPrefix = fields.Number != 0 },
                4 => model with { RemoveExtraWhitespaces = fields.Number != 0 },
                5 => model with { EscapeWhitespaces = fields.Number != 0 },
                _ => model,
            };
        }

        return model;
    }

    private static void Tag(ByteBuffer output, int field, int type) => Varint(output, (ulong)((field << 3) | type));

    private static void Number(ByteBuffer output, int field, long value)
    {
        Tag(output, field, 0);
        Varint(output, (ulong)value);
    }

    private static void Bytes(ByteBuffer output, int field, ReadOnlySpan<byte> bytes)
    {
        Tag(output, field, 2);
        Varint(output, (ulong)bytes.Length);
        output.Add(bytes);
    }

    private static void Varint(ByteBuffer output, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            output.Add((byte)(value | 0x80));
        }

        output.Add((byte)value);
    }
}
