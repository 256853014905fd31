using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// SentencePiece's compiled rules of normalization: a double-array trie (Aoe 1989) from what stands in a text to where in a list of texts its replacement begins.
/// The longest that fits counts.
/// </summary>
internal sealed class CharsMap : Normalizer
{
    private readonly uint[] _units;
    private readonly byte[] _texts;

    private CharsMap(uint[] units, byte[] texts) => (_units, _texts) = (units, texts);

    /// <summary>Reads the rules from the bytes of a model's file; null where there are none.</summary>
    /// <exception cref="FormatException">They are damaged.</exception>
    public static CharsMap? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return null;
        }

        uint size = bytes.Length >= 4 ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : uint.MaxValue;
        if (size > bytes.Length - 4 || size % 4 != 0 || size == 0)
        {
            throw new FormatException("its rules of normalization are damaged");
        }

        uint[] units = new uint[size / 4];
        for (int i = 0; i < units.Length; i++)
        {
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 + (4 * i))..]);
        }

        return new CharsMap(units, bytes[(4 + (int)size)..].ToArray());
    }

    /// <summary>Reads the rules from base64, as a <c>tokenizer.json</c> has them.</summary>
    public static Normalizer Read(string base64, JsonFields json)
    {
        try
        {
            return new GraphemeNormalizer(Read(Convert.FromBase64String(base64)) ?? throw new FormatException("there are none"));
        }
        catch (FormatException e)
        {
            throw json.Bad($"precompiled_charsmap: {e.Message}");
        }
    }

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        for (int at = 0, length; at < text.Length; at += length)
        {
            output.Add(Next(text, at, out length));
        }
    }

    /// <summary>What stands for the text from <paramref name="at"/> on, and how much of it; a character without a rule stands for itself.</summary>
    public ReadOnlySpan<byte> Next(ReadOnlySpan<byte> text, int at, out int length)
    {
        if (Find(text, at, shortest: false, out length) is var found and >= 0)
        {
            return TextAt(found);
        }

        CodePoints.Read(text, at, out length);
        return text.Slice(at, length);
    }

    /// <summary>What stands for the shortest beginning of a text that has a rule.</summary>
    public bool TryShortest(ReadOnlySpan<byte> text, out ReadOnlySpan<byte> replacement)
    {
        int found = Find(text, 0, shortest: true, out _);
        replacement = found < 0 ? [] : TextAt(found);
        return found >= 0;
    }

    // The place of the replacement, or −1.
    private int Find(ReadOnlySpan<byte> text, int at, bool shortest, out int length)
    {
        int found = -1;
        length = 0;
        uint node = Offset(_units[0]);
        for (int i = at; i < text.Length; i++)
        {
            node ^= text[i];
            if (node >= _units.Length)
            {
                break;
            }

            uint unit = _units[node];
            if ((unit & 0x800000FF) != text[i])
            {
                break;
            }

            node ^= Offset(unit);
            if ((unit & 0x100) != 0 && node < _units.Length)
            {
                found = (int)(_units[node] & 0x7FFFFFFF);
                length = i + 1 - at;
                if (shortest)
                {
                    break;
                }
            }
        }

        return found < _texts.Length ? found : -1;
    }

    private ReadOnlySpan<byte> TextAt(int place)
    {
        ReadOnlySpan<byte> rest = _texts.AsSpan(place);
        int end = rest.IndexOf((byte)0);
        return end < 0 ? rest : rest[..end];
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);
}

/// <summary>
/// The same rules as Hugging Face's tokenizers apply them: to whole graphemes of fewer than six bytes, of which the shortest beginning with a rule decides, and otherwise to
/// characters.
/// </summary>
internal sealed class GraphemeNormalizer(CharsMap rules) : Normalizer
{
    private const int LongestGrapheme = 5;

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> text, ByteBuffer output)
    {
        string characters = Encoding.UTF8.GetString(text);
        Span<byte> bytes = stackalloc byte[4];
        for (int at = 0, length; at < characters.Length; at += length)
        {
            length = StringInfo.GetNextTextElementLength(characters, at);
            byte[] grapheme = Encoding.UTF8.GetBytes(characters, at, length);
            if (grapheme.Length <= LongestGrapheme && rules.TryShortest(grapheme, out ReadOnlySpan<byte> whole))
            {
                output.Add(whole);
                continue;
            }

            foreach (Rune rune in characters.AsSpan(at, length).EnumerateRunes())
            {
                ReadOnlySpan<byte> character = bytes[..rune.EncodeToUtf8(bytes)];
                output.Add(rules.TryShortest(character, out ReadOnlySpan<byte> part) ? part : character);
            }
        }
    }
}
