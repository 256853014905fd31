namespace NanoFold.Engine.Text;

/// <summary>
/// Prepares a text as SentencePiece does: its rules of normalization, spaces as U+2581, one in front or at the end, and where the model says so no more than one in a row.
/// </summary>
internal sealed class SentencePieceNormalizer(SentencePieceModel model, ByteTrie userDefined)
{
    private readonly CharsMap? _rules = Text.CharsMap.Read(model.CharsMap.Span);
    private readonly byte[] _space = model.EscapeWhitespaces ? [0xE2, 0x96, 0x81] : [(byte)' '];

    /// <summary>Writes what becomes of a text.</summary>
    public void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        int at = 0;
        if (model.RemoveExtraWhitespaces)
        {
            while (at < text.Length && Next(text, at, out int length) is [(byte)' '])
            {
                at += length;
            }
        }

        if (at == text.Length)
        {
            return;
        }

        if (model.AddDummyPrefix && !model.WhitespaceAsSuffix)
        {
            output.Add(_space);
        }

        bool afterSpace = model.RemoveExtraWhitespaces;
        while (at < text.Length)
        {
            ReadOnlySpan<byte> part = Next(text, at, out int length);
            at += length;
            while (afterSpace && part is [(byte)' ', ..])
            {
                part = part[1..];
            }

            if (!part.IsEmpty)
            {
                afterSpace = part[^1] == ' ' && model.RemoveExtraWhitespaces;
                AddEscaped(part, output);
            }
        }

        if (model.RemoveExtraWhitespaces)
        {
            while (output.Span.EndsWith(_space))
            {
                output.Shorten(_space.Length);
            }
        }

        if (model.AddDummyPrefix && model.WhitespaceAsSuffix)
        {
            output.Add(_space);
        }
    }

    private void AddEscaped(ReadOnlySpan<byte> part, ByteBuffer output)
    {
        while (part.IndexOf((byte)' ') is var space and >= 0)
        {
            output.Add(part[..space]);
            output.Add(_space);
            part = part[(space + 1)..];
        }

        output.Add(part);
    }

    private ReadOnlySpan<byte> Next(ReadOnlySpan<byte> text, int at, out int length)
    {
        if (userDefined.Begins(text[at]) && userDefined.Longest(text[at..], out length) >= 0)
        {
            return text.Slice(at, length);
        }

        if (_rules is not null)
        {
            return _rules.Next(text, at, out length);
        }

        CodePoints.Read(text, at, out length);
        return text.Slice(at, length);
    }
}
