using System.Text.Encodings.Web;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// Hugging Face's <c>tokenizer.json</c> for byte-level BPE. Written: <c>model</c> BPE with <c>vocab</c> and
/// <c>merges</c> in the byte↔character map, <c>ByteLevel</c> pre-tokenizer and decoder, specials in
/// <c>added_tokens</c>. Read: <see cref="TokenizerJsonReader"/>.
/// </summary>
internal static class TokenizerJson
{
    private const int LongestMessage = 200;

    public static byte[] Write(BpeModel model)
    {
        using var stream = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(stream, options))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            WriteSpecials(json, model.Specials);
            json.WriteNull("normalizer");
            WriteByteLevel(json, "pre_tokenizer");
            json.WriteNull("post_processor");
            WriteByteLevel(json, "decoder");
            WriteModel(json, model);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    public static Tokenizer Parse(byte[] bytes, string name)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            if (OwnForm.Of(document.RootElement) is { } own)
            {
                return own.Read(name);
            }

            if (!TokenizerJsonReader.IsPlain(document.RootElement))
            {
                return new PipelineReader(name).Read(document.RootElement, () => bytes);
            }

            BpeModel model = new TokenizerJsonReader(name).Read(document.RootElement);
            return model.IsBytes ? new ByteTokenizer(model.Specials.Length > 0) : new BpeTokenizer(model);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // InvalidOperationException is what JsonElement throws for text that is not Unicode.
            throw new UserException($"{name}: not a valid tokenizer.json: {Shorten(e.Message)}", e);
        }
    }

    /// <summary>A message of bounded length, whatever of a file is quoted in it.</summary>
    public static string Shorten(string message) =>
        message.Length <= LongestMessage ? message : string.Concat(message.AsSpan(0, LongestMessage), "…");

    private static void WriteSpecials(Utf8JsonWriter json, SpecialToken[] specials)
    {
        json.WriteStartArray("added_tokens");
        foreach (SpecialToken special in specials)
        {
            WriteSpecial(json, special.Id, special.Name);
        }

        json.WriteEndArray();
    }

    /// <summary>An added token, which is special or else user-defined.</summary>
    public static void WriteSpecial(Utf8JsonWriter json, int id, string name, bool special = true)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteString("content", name);
        json.WriteBoolean("single_word", false);
        json.WriteBoolean("lstrip", false);
        json.WriteBoolean("rstrip", false);
        json.WriteBoolean("normalized", false);
        json.WriteBoolean("special", special);
        json.WriteEndObject();
    }

    /// <summary>A step of kind ByteLevel, under a key or in a list.</summary>
    public static void WriteByteLevel(Utf8JsonWriter json, string? key, bool regex = true)
    {
        if (key is not null)
        {
            json.WritePropertyName(key);
        }

        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", regex);
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, BpeModel model)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", model.IgnoreMerges);

        string[] symbols = [.. model.Tokens.Select(token => ByteUnicode.Encode(token))];
        int lastText = Array.FindLastIndex(symbols, symbol => symbol.Length > 0);

        // Readers give added tokens the ids after the vocabulary; specials among the others must stand in it.
        foreach (SpecialToken special in model.Specials.Where(special => special.Id < lastText))
        {
            symbols[special.Id] = special.Name;
        }

        json.WriteStartObject("vocab");
        for (int id = 0; id <= lastText; id++)
        {
            json.WriteNumber(symbols[id], id);
        }

        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (BpeMerge merge in model.Merges)
        {
            json.WriteStringValue($"{symbols[merge.Left]} {symbols[merge.Right]}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
