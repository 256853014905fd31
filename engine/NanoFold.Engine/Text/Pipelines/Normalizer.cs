using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>Changes a text before it is cut.</summary>
internal abstract class Normalizer
{
    /// <summary>Writes what becomes of a text, which is not empty.</summary>
    public abstract void Apply(ReadOnlySpan<byte> text, ByteBuffer output);

    /// <summary>Whether a text stays as it is; may be false where it would.</summary>
    public virtual bool Keeps(ReadOnlySpan<byte> text) => false;

    /// <summary>Whether a text may be cut between an ASCII letter and a space before it is normalized.</summary>
    public virtual bool MayCutAfterLetters => false;
}

/// <summary>Takes away some characters, and puts a space in place of others.</summary>
internal sealed class CharacterNormalizer(CodePointSet removed, CodePointSet spaces) : Normalizer
{
    private readonly CharacterClasses _classes = new([removed, spaces.Without(CodePointSet.Of(' '))], "a normalizer");

    /// <inheritdoc/>
    public override bool MayCutAfterLetters => true;

    /// <inheritdoc/>
    public override bool Keeps(ReadOnlySpan<byte> text) => NextChange(text, 0, out _, out _) < 0;

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        int done = 0;
        while (NextChange(text, done, out int length, out bool space) is var at and >= 0)
        {
            output.Add(text[done..at]);
            output.Add(space ? " "u8 : []);
            done = at + length;
        }

        output.Add(text[done..]);
    }

    private int NextChange(ReadOnlySpan<byte> text, int from, out int length, out bool space)
    {
        int plain = _classes.Of('a');
        ReadOnlySpan<byte> ascii = _classes.Ascii;
        for (int at = from; at < text.Length; at += length)
        {
            int value = text[at];
            length = 1;
            value = value < 0x80 ? ascii[value] : _classes.Of(CodePoints.Read(text, at, out length));
            if (value != plain)
            {
                space = !_classes.Holds(value, 0);
                return at;
            }
        }

        (length, space) = (0, false);
        return -1;
    }
}

/// <summary>Small letters, character by character: no final sigma, and İ becomes i with a dot above.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    private const int DottedI = 0x130;

    /// <inheritdoc/>
    public override bool MayCutAfterLetters => true;

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        for (int at = 0, length; at < text.Length; at += length)
        {
            int point = CodePoints.Read(text, at, out length);
            switch (point)
            {
                case >= 'A' and <= 'Z':
                    output.Add((byte)(point + 32));
                    break;
                case < 0x80:
                    output.Add((byte)point);
                    break;
                case CodePoints.Invalid:
                    output.Add(text.Slice(at, length));
                    break;
                case DottedI:
                    output.Add("i\u0307"u8);
                    break;
                default:
                    output.AddCodePoint(Later(point) ?? Rune.ToLowerInvariant(new Rune(point)).Value);
                    break;
            }
        }
    }

    // Letters of Unicode 17, which the originals know and .NET does not yet.
    private static int? Later(int point) => point switch
    {
        0xA7CE or 0xA7D2 or 0xA7D4 => point + 1,
        >= 0x16EA0 and <= 0x16EB8 => point + 0x1B,
        _ => null,
    };
}

/// <summary>White space at the ends vanishes.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        int start = left ? WhiteSpace.AtStart(text) : 0;
        int end = right ? WhiteSpace.AtEnd(text) : text.Length;
        output.Add(end > start ? text[start..end] : []);
    }
}

/// <summary>A text stands before each that is not empty.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(prefix);

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        output.Add(_prefix);
        output.Add(text);
    }
}

/// <summary>One text stands in place of another.</summary>
internal sealed class ReplaceNormalizer(string sought, string content) : Normalizer
{
    private readonly byte[] _sought = Encoding.UTF8.GetBytes(sought);
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        while (_sought.Length > 0 && text.IndexOf(_sought) is var at and >= 0)
        {
            output.Add(text[..at]);
            output.Add(_content);
            text = text[(at + _sought.Length)..];
        }

        output.Add(text);
    }
}

/// <summary>One text stands in place of all that a regular expression finds.</summary>
internal sealed class PatternNormalizer(Pattern pattern, string content) : Normalizer
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        var tail = new PatternTail();
        tail.Reset(text.Length);
        int done = 0;
        for (int from = 0; from < text.Length && pattern.Find(text, from, tail, out int start, out int end);)
        {
            output.Add(text[done..start]);
            output.Add(_content);
            done = end;
            from = end;
            if (end == start)
            {
                CodePoints.Read(text, start, out int length);
                from += length;
            }
        }

        output.Add(text[done..]);
    }
}

/// <summary>Every byte becomes the character that stands for it (<see cref="ByteUnicode"/>).</summary>
internal sealed class ByteMapNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        foreach (byte value in text)
        {
            output.AddCodePoint(ByteUnicode.CharOf(value));
        }
    }
}

/// <summary>Chinese characters stand between spaces, as BERT wants them.</summary>
internal sealed class ChineseNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override bool MayCutAfterLetters => true;

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        for (int at = 0, length; at < text.Length; at += length)
        {
            bool chinese = CodePoints.Read(text, at, out length) is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
                or (>= 0x2A700 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x2F800 and <= 0x2FA1F);
            output.Add(chinese ? " "u8 : []);
            output.Add(text.Slice(at, length));
            output.Add(chinese ? " "u8 : []);
        }
    }
}

/// <summary>White space at the ends of a text.</summary>
internal static class WhiteSpace
{
    /// <summary>Bytes of it at the start.</summary>
    public static int AtStart(ReadOnlySpan<byte> text)
    {
        int at = 0;
        while (at < text.Length && UnicodeClasses.Space.Contains(CodePoints.Read(text, at, out int length)))
        {
            at += length;
        }

        return at;
    }

    /// <summary>Where it begins at the end.</summary>
    public static int AtEnd(ReadOnlySpan<byte> text)
    {
        int end = text.Length;
        while (end > 0)
        {
            int before = CodePoints.Before(text, end);
            if (!UnicodeClasses.Space.Contains(CodePoints.Read(text, before, out _)))
            {
                break;
            }

            end = before;
        }

        return end;
    }
}
