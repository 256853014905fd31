using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// GPT-2's first form: <c>vocab.json</c> (a token's text and its id) and <c>merges.txt</c> (a merge a line, after a line that begins with <c>#version</c>, if it does). It is a
/// byte-level BPE; <c>&lt;|endoftext|&gt;</c> is special.
/// </summary>
internal static class MergesFile
{
    public const string VocabName = "vocab.json";
    public const string MergesName = "merges.txt";
    private const int LeastTokens = 256;
    private static readonly string[] s_specials = ["<|endoftext|>", "<|startoftext|>"];

    /// <summary>Whether a JSON file is a vocabulary without merges, which stand beside it.</summary>
    public static bool IsVocab(ReadOnlyMemory<byte> bytes, string path)
    {
        if (!File.Exists(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, MergesName)))
        {
            return false;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            return !document.RootElement.TryGetProperty("model", out JsonElement model) || model.ValueKind == JsonValueKind.Number
                ? document.RootElement.EnumerateObject().Take(LeastTokens + 1).Count(entry => entry.Value.ValueKind == JsonValueKind.Number) >= LeastTokens
                : false;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Reads both files, of which one is named.</summary>
    public static Tokenizer Load(string path)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string vocabPath = Path.Combine(folder, VocabName), mergesPath = Path.Combine(folder, MergesName);
        foreach (string needed in (string[])[vocabPath, mergesPath])
        {
            if (!File.Exists(needed))
            {
                throw new UserException($"{path}: needs {Path.GetFileName(needed)} beside it");
            }
        }

        try
        {
            using JsonDocument vocab = JsonDocument.Parse(TokenizerFiles.Read(vocabPath));
            return TokenizerJson.Parse(AsJson(vocab.RootElement, TokenizerFiles.Read(mergesPath)), vocabPath);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserException($"{vocabPath}: not a valid vocabulary: {TokenizerJson.Shorten(e.Message)}", e);
        }
    }

    private static byte[] AsJson(JsonElement vocab, byte[] merges)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteStartArray("added_tokens");
            foreach (string special in s_specials.Where(special => vocab.TryGetProperty(special, out JsonElement id) && id.ValueKind == JsonValueKind.Number))
            {
                TokenizerJson.WriteSpecial(json, vocab.GetProperty(special).GetInt32(), special);
            }

            json.WriteEndArray();
            TokenizerJson.WriteByteLevel(json, "pre_tokenizer");
            TokenizerJson.WriteByteLevel(json, "decoder");
            json.WriteStartObject("model");
            json.WriteString("type", "BPE");
            json.WritePropertyName("vocab");
            vocab.WriteTo(json);
            json.WriteStartArray("merges");
            foreach (string line in Encoding.UTF8.GetString(merges).TrimStart('\uFEFF').Split('\n').Select(line => line.TrimEnd('\r')).SkipWhile((line, at) => at == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
            {
                if (line.Length > 0)
                {
                    json.WriteStringValue(line);
                }
            }

            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return stream.ToArray();
    }
}
