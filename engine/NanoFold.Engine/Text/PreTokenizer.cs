using System.Buffers;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// Cuts UTF-8 text into the pieces inside which BPE merges. It is GPT-2's pattern, written as a scanner over bytes:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>
/// </summary>
/// <remarks>
/// At each position the first rule that fits is taken:
/// an English contraction (<c>'s 't 're 've 'm 'll 'd</c>);
/// an optional space and a run of letters, of numbers, or of anything that is neither nor white space;
/// a run of white space, which leaves its last character to what follows (unless the text ends, or it is alone).
/// Classes are Unicode's: L*, N*, White_Space. A byte that is not UTF-8 counts as "anything else", so that every byte
/// string is cut and the pieces always join to the text. Pieces never contain white space after something else, so
/// a text may be cut before white space that follows anything else without changing its pieces.
/// </remarks>
public static class PreTokenizer
{
    private enum Kind : byte
    {
        Other,
        Letter,
        Number,
        Space,
    }

    private static readonly Kind[] s_ascii = BuildAscii();

    /// <summary>The length in bytes of the piece that begins at <paramref name="text"/>'s start; 0 for an empty text.</summary>
    public static int Next(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        int contraction = text[0] == '\'' ? Contraction(text) : 0;
        if (contraction > 0)
        {
            return contraction;
        }

        int lead = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        Kind kind = KindAt(text[lead..], out int length);
        if (kind != Kind.Space)
        {
            return lead + length + Run(text[(lead + length)..], kind, out _);
        }

        // White space. The first character's class is known to be Space only where no space was skipped.
        if (lead == 0)
        {
            lead = length;
        }

        int run = lead + Run(text[lead..], Kind.Space, out int last);
        bool alone = run == lead;
        return run == text.Length || alone ? run : run - last;
    }

    /// <summary>True where a text may be cut at <paramref name="position"/> without changing its pieces.</summary>
    internal static bool MayCutAt(ReadOnlySpan<byte> text, int position)
    {
        if (position <= 0 || position >= text.Length || text[position] > 0x7F || s_ascii[text[position]] != Kind.Space)
        {
            return false;
        }

        if (Rune.DecodeLastFromUtf8(text[..position], out Rune before, out _) != OperationStatus.Done)
        {
            return true;
        }

        return !Rune.IsWhiteSpace(before);
    }

    // Bytes in the run of one kind at the start of text; `last` is the length of its last character (0 for none).
    private static int Run(ReadOnlySpan<byte> text, Kind kind, out int last)
    {
        int position = 0;
        last = 0;
        while (position < text.Length)
        {
            byte first = text[position];
            int length = 1;
            if ((first < 0x80 ? s_ascii[first] : KindAt(text[position..], out length)) != kind)
            {
                break;
            }

            position += length;
            last = length;
        }

        return position;
    }

    private static int Contraction(ReadOnlySpan<byte> text)
    {
        if (text.Length < 2)
        {
            return 0;
        }

        byte first = text[1];
        if (first is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d')
        {
            return 2;
        }

        if (text.Length < 3)
        {
            return 0;
        }

        byte second = text[2];
        bool fits = first is (byte)'r' or (byte)'v' ? second == 'e' : first == 'l' && second == 'l';
        return fits ? 3 : 0;
    }

    private static Kind KindAt(ReadOnlySpan<byte> text, out int length)
    {
        byte first = text[0];
        if (first < 0x80)
        {
            length = 1;
            return s_ascii[first];
        }

        return Rune.DecodeFromUtf8(text, out Rune rune, out length) == OperationStatus.Done ? KindOf(rune) : Kind.Other;
    }

    private static Kind KindOf(Rune rune) =>
        Rune.IsLetter(rune) ? Kind.Letter
        : Rune.IsNumber(rune) ? Kind.Number
        : Rune.IsWhiteSpace(rune) ? Kind.Space
        : Kind.Other;

    private static Kind[] BuildAscii()
    {
        var kinds = new Kind[128];
        for (int value = 0; value < kinds.Length; value++)
        {
            kinds[value] = KindOf(new Rune(value));
        }

        return kinds;
    }
}
