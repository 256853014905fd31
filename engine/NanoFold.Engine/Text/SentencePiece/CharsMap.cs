using System.Buffers.Binary;

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
            return Read(Convert.FromBase64String(base64)) ?? throw new FormatException("there are none");
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
            }
        }

        if (found >= 0 && found < _texts.Length)
        {
            ReadOnlySpan<byte> rest = _texts.AsSpan(found);
            int end = rest.IndexOf((byte)0);
            return end < 0 ? rest : rest[..end];
        }

        CodePoints.Read(text, at, out length);
        return text.Slice(at, length);
    }

    private static uint Offset(uint unit) => (unit >> 10) << (int)((unit & 0x200) >> 6);
}
