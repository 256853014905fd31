using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// A <c>tokenizer.json</c> for a tokenizer of another format: what other programs read of it is as near as that format allows, and under <c>nanofold</c> stands the original, which this program reads.
/// </summary>
internal sealed class OwnForm
{
    public const string Key = "nanofold";
    private static readonly JsonWriterOptions s_options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly JsonElement _own;

    private OwnForm(JsonElement own) => _own = own;

    /// <summary>The original that a file holds under the key; null where it holds none.</summary>
    public static OwnForm? Of(JsonElement root) =>
        JsonFields.Part(root, Key) is { } own && (JsonFields.Part(own, "sentencepiece") ?? JsonFields.Part(own, "tiktoken")) is not null ? new OwnForm(own) : null;

    /// <summary>The expression and the special tokens of an <c>encoding.json</c>.</summary>
    public static (string Pattern, Dictionary<string, int> Specials) ReadEncoding(JsonElement root, JsonFields json)
    {
        var specials = new Dictionary<string, int>();
        if (JsonFields.Part(root, "special_tokens") is { ValueKind: JsonValueKind.Object } all)
        {
            foreach (JsonProperty special in all.EnumerateObject())
            {
                specials[special.Name] = json.Id(special.Value, "special_tokens");
            }
        }

        return (json.Text(JsonFields.Part(root, "pat_str"), "pat_str"), specials);
    }

    public Tokenizer Read(string name)
    {
        var json = new JsonFields(name);
        if (JsonFields.Part(_own, "sentencepiece") is { } model)
        {
            return new SentencePieceTokenizer(
                SentencePieceFile.Read(Convert.FromBase64String(json.Text(model, "sentencepiece"))) with { AddBos = json.Flag(_own, "add_bos", true) });
        }

        if (JsonFields.Part(_own, "tiktoken") is { } ranks)
        {
            (string pattern, Dictionary<string, int> specials) = ReadEncoding(_own, json);
            return TiktokenFile.Build([.. json.List(_own, "tiktoken").Select(token => Convert.FromBase64String(json.Text(token, "tiktoken")))], pattern, specials, name);
        }

        throw json.Bad($"{Key} has no tokenizer that this version knows");
    }

    /// <summary>Ranks of tiktoken, and the same as BPE.</summary>
    public static byte[] OfTiktoken(byte[][] tokens, IReadOnlyList<BpeMerge> merges, string pattern, IReadOnlyDictionary<string, int> specials) => Write(json =>
    {
        json.WriteStartArray("added_tokens");
        foreach ((string name, int id) in specials.OrderBy(special => special.Value))
        {
            TokenizerJson.WriteSpecial(json, id, name);
        }

        json.WriteEndArray();
        json.WriteNull("normalizer");
        WriteSplits(json, pattern);
        json.WriteNull("post_processor");
        TokenizerJson.WriteByteLevel(json, "decoder");
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteBoolean("ignore_merges", true);
        json.WriteStartObject("vocab");
        foreach ((byte[] token, int id) in tokens.Select((token, id) => (token, id)).Where(token => token.token.Length > 0))
        {
            json.WriteNumber(ByteUnicode.Encode(token), id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (BpeMerge merge in merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(ByteUnicode.Encode(tokens[merge.Left]));
            json.WriteStringValue(ByteUnicode.Encode(tokens[merge.Right]));
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteStartObject(Key);
        json.WriteString("pat_str", pattern);
        json.WriteStartObject("special_tokens");
        foreach ((string name, int id) in specials)
        {
            json.WriteNumber(name, id);
        }

        json.WriteEndObject();
        json.WriteStartArray("tiktoken");
        foreach (byte[] token in tokens)
        {
            json.WriteBase64StringValue(token);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    /// <summary>Expressions that cut one after the other, then bytes as characters.</summary>
    public static void WriteSplits(Utf8JsonWriter json, params ReadOnlySpan<string> patterns)
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        foreach (string pattern in patterns)
        {
            json.WriteStartObject();
            json.WriteString("type", "Split");
            json.WriteStartObject("pattern");
            json.WriteString("Regex", pattern);
            json.WriteEndObject();
            json.WriteString("behavior", "Isolated");
            json.WriteBoolean("invert", false);
            json.WriteEndObject();
        }

        TokenizerJson.WriteByteLevel(json, null, regex: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>The fields of a post-processor that puts one token before a text.</summary>
    public static void WriteTemplate(Utf8JsonWriter json, int id, string name)
    {
        json.WriteString("type", "TemplateProcessing");
        foreach ((string key, string[] texts) in ((string, string[])[])[("single", ["A"]), ("pair", ["A", "B"])])
        {
            json.WriteStartArray(key);
            for (int i = 0; i < texts.Length; i++)
            {
                WriteStep(json, "SpecialToken", name, i);
                WriteStep(json, "Sequence", texts[i], i);
            }

            json.WriteEndArray();
        }

        json.WriteStartObject("special_tokens");
        json.WriteStartObject(name);
        json.WriteString("id", name);
        json.WriteStartArray("ids");
        json.WriteNumberValue(id);
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        json.WriteStringValue(name);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>The id of a mark, where it is known.</summary>
    public static void WriteMark(Utf8JsonWriter json, string key, int? id)
    {
        if (id is { } known)
        {
            json.WriteNumber(key, known);
        }
    }

    /// <summary>A file without what only this program reads, which others may stumble over.</summary>
    public static byte[] Without(byte[] file)
    {
        using JsonDocument document = JsonDocument.Parse(file);
        return document.RootElement.TryGetProperty(Key, out _) ? Copy(document.RootElement, null) : file;
    }

    /// <summary>A file with the ids that begin and end a document, which this program reads.</summary>
    public static byte[] With(byte[] file, int? bos, int? eos)
    {
        using JsonDocument document = JsonDocument.Parse(file);
        return Copy(document.RootElement, json =>
        {
            json.WriteStartObject(Key);
            WriteMark(json, "bos", bos);
            WriteMark(json, "eos", eos);
            json.WriteEndObject();
        });
    }

    private static byte[] Copy(JsonElement root, Action<Utf8JsonWriter>? own)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, s_options))
        {
            json.WriteStartObject();
            foreach (JsonProperty property in root.EnumerateObject().Where(property => property.Name != Key))
            {
                property.WriteTo(json);
            }

            own?.Invoke(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void WriteStep(Utf8JsonWriter json, string kind, string id, int text)
    {
        json.WriteStartObject();
        json.WriteStartObject(kind);
        json.WriteString("id", id);
        json.WriteNumber("type_id", text);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>A file with the fields that every one has.</summary>
    public static byte[] Write(Action<Utf8JsonWriter> parts)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, s_options))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            parts(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }
}
