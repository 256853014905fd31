using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Corpora.Formats;

/// <summary>Reads JSON lines: an object a line, of which one field is a document.</summary>
internal static class JsonLines
{
    private const int LargestLine = 1 << 29;
    private const int NamesShown = 8;

    /// <summary>Whether a file's name, without an ending for its compression, is one of JSON lines.</summary>
    public static bool IsName(string name)
        => name.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".ndjson", StringComparison.OrdinalIgnoreCase);

    /// <summary>Adds each line's document to <paramref name="records"/>.</summary>
    /// <param name="stream">The lines.</param>
    /// <param name="field">The field; where there is none of that name, dots lead into objects.</param>
    /// <param name="records">Gets the documents.</param>
    /// <exception cref="UnreadTextException">A line is no JSON object, or its field no text; or no line has the field.</exception>
    public static void Read(Stream stream, string field, RecordWriter records)
    {
        long number = 0;
        string? names = null;
        foreach (ReadOnlyMemory<byte> line in Lines(stream))
        {
            number++;
            if (line.Span.Trim(" \t\r"u8).IsEmpty)
            {
                continue;
            }

            try
            {
                using JsonDocument json = JsonDocument.Parse(line);
                ReadLine(json.RootElement, number, field, records);
                names ??= string.Join(", ", json.RootElement.EnumerateObject().Select(property => property.Name).Take(NamesShown));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // The second is said of names that are not UTF-8.
                throw new UnreadTextException(
                    Invariant($"is not JSON lines: line {number} is no JSON{(e is JsonException { BytePositionInLine: { } at } ? Invariant($" at byte {at}") : "")}"), "mend or remove the line");
            }
        }

        if (records.IsEmpty && names is not null)
        {
            throw new UnreadTextException($"has no text in the field '{field}' (it has {names})", "name one with --field (data.field)");
        }
    }

    private static void ReadLine(JsonElement json, long number, string field, RecordWriter records)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            throw new UnreadTextException(Invariant($"is not JSON lines: line {number} is no object"), "name text, or a file with an object a line");
        }

        if (Find(json, field) is not { ValueKind: not JsonValueKind.Null } value)
        {
            records.AddNone();
        }
        else if (value.ValueKind == JsonValueKind.String)
        {
            records.Add(Text(JsonMarshal.GetRawUtf8Value(value)[1..^1]));
        }
        else
        {
            throw new UnreadTextException(Invariant($"its field '{field}' is no text in line {number}"), "name another with --field (data.field)");
        }
    }

    private static JsonElement? Find(JsonElement json, string field)
    {
        if (json.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (json.TryGetProperty(field, out JsonElement value))
        {
            return value;
        }

        int dot = field.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && json.TryGetProperty(field[..dot], out value) ? Find(value, field[(dot + 1)..]) : null;
    }

    // Each is valid until the next is asked for.
    private static IEnumerable<ReadOnlyMemory<byte>> Lines(Stream stream)
    {
        byte[] buffer = new byte[1 << 16];
        int held = 0, searched = 0;
        while (true)
        {
            int read = stream.Read(buffer, held, buffer.Length - held);
            held += read;
            int begin = 0;
            for (int end; (end = buffer.AsSpan(searched, held - searched).IndexOf((byte)'\n')) >= 0;)
            {
                yield return buffer.AsMemory(begin, searched + end - begin);
                begin = searched += end + 1;
            }

            if (read == 0)
            {
                yield return buffer.AsMemory(begin, held - begin);
                yield break;
            }

            buffer.AsSpan(begin, held - begin).CopyTo(buffer);
            held -= begin;
            searched = held;
            if (held == buffer.Length)
            {
                if (held >= LargestLine)
                {
                    throw new UnreadTextException(Invariant($"is not JSON lines: it has a line of more than {LargestLine >> 20} MiB"), "name text, or a file with an object a line");
                }

                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }
    }

    // What stands between the quotes. Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes U+FFFD.
    private static ReadOnlySpan<byte> Text(ReadOnlySpan<byte> raw)
    {
        int escape = raw.IndexOf((byte)'\\');
        if (escape < 0)
        {
            return raw;
        }

        // No escape is shorter than what it stands for.
        byte[] text = new byte[raw.Length];
        int length = 0;
        for (; escape >= 0; escape = raw.IndexOf((byte)'\\'))
        {
            raw[..escape].CopyTo(text.AsSpan(length));
            length += escape;
            raw = raw[(escape + 1)..];
            Rune rune = Unescape(ref raw);
            length += rune.EncodeToUtf8(text.AsSpan(length));
        }

        raw.CopyTo(text.AsSpan(length));
        return text.AsSpan(0, length + raw.Length);
    }

    // What begins after a backslash, and passes over it.
    private static Rune Unescape(ref ReadOnlySpan<byte> raw)
    {
        byte kind = raw[0];
        raw = raw[1..];
        if (kind != 'u')
        {
            return new Rune(kind switch { (byte)'b' => '\b', (byte)'f' => '\f', (byte)'n' => '\n', (byte)'r' => '\r', (byte)'t' => '\t', _ => (char)kind });
        }

        char unit = Unit(raw);
        raw = raw[4..];
        if (char.IsHighSurrogate(unit) && raw.StartsWith("\\u"u8) && Rune.TryCreate(unit, Unit(raw[2..]), out Rune pair))
        {
            raw = raw[6..];
            return pair;
        }

        return Rune.TryCreate(unit, out Rune rune) ? rune : Rune.ReplacementChar;
    }

    private static char Unit(ReadOnlySpan<byte> digits) => (char)ushort.Parse(digits[..4], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
