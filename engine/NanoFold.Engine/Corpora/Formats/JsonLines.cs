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

            using JsonDocument json = Parse(line, number);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new UnreadTextException(Invariant($"is not JSON lines: line {number} is no object"), "name text, or a file with an object a line");
            }

            names ??= string.Join(", ", json.RootElement.EnumerateObject().Select(property => property.Name).Take(NamesShown));
            if (Find(json.RootElement, field) is not { ValueKind: not JsonValueKind.Null } value)
            {
                records.AddNone();
            }
            else if (value.ValueKind == JsonValueKind.String)
            {
                records.Add(Text(JsonMarshal.GetRawUtf8Value(value)[1..^1]));
            }
            else
            {
                throw new UnreadTextException(Invariant($"its field '{field}' is no text in line {number}"), "name another with data.field");
            }
        }

        if (records.IsEmpty && names is not null)
        {
            throw new UnreadTextException($"has no text in the field '{field}' (it has {names})", "name a field with data.field");
        }
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> line, long number)
    {
        try
        {
            return JsonDocument.Parse(line);
        }
        catch (JsonException e)
        {
            throw new UnreadTextException(Invariant($"is not JSON lines: line {number} is no JSON at byte {e.BytePositionInLine}"), "mend or remove the line");
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
        if (!raw.Contains((byte)'\\'))
        {
            return raw;
        }

        string escaped = Encoding.UTF8.GetString(raw);
        var text = new StringBuilder(escaped.Length);
        for (int i = 0; i < escaped.Length; i++)
        {
            if (escaped[i] != '\\')
            {
                text.Append(escaped[i]);
                continue;
            }

            char kind = escaped[++i];
            text.Append(kind switch
            {
                'b' => '\b',
                'f' => '\f',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => (char)ushort.Parse(escaped.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                _ => kind,
            });
            i += kind == 'u' ? 4 : 0;
        }

        return Encoding.UTF8.GetBytes(text.ToString());
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
