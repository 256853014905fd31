using System.Text;
using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>Makes metadata of a GGUF file of a byte-level BPE in a <c>tokenizer.json</c>.</summary>
internal sealed class GgufVocabularyWriter
{
    private readonly JsonFields _json = new("tokenizer");

    /// <exception cref="UserException">The format does not know what the tokenizer does.</exception>
    public static GgufVocabulary Of(Tokenizer tokenizer)
    {
        using JsonDocument document = JsonDocument.Parse(tokenizer.Serialize());
        JsonElement root = document.RootElement;
        var writer = new GgufVocabularyWriter();
        JsonElement model = JsonFields.Part(root, "model") ?? throw Bad($"a tokenizer of kind {tokenizer.Name}");
        if (TokenizerJsonReader.KindOf(model) != "BPE" || writer._json.Flag(model, "byte_fallback", false) || JsonFields.TypeOf(JsonFields.Part(root, "decoder")) != "ByteLevel")
        {
            throw Bad($"a model of kind {TokenizerJsonReader.KindOf(model)} that is not of bytes");
        }

        // llama.cpp normalizes nothing, of Qwen's tokenizers too, which ask for NFC.
        if (JsonFields.Part(root, "normalizer") is { } normalizer && JsonFields.TypeOf(normalizer) != "NFC")
        {
            throw Bad($"the normalizer {JsonFields.TypeOf(normalizer)}");
        }

        bool ignoreMerges = writer._json.Flag(model, "ignore_merges", false);
        string pre = GgufPatterns.NameOf(writer.Patterns(JsonFields.Part(root, "pre_tokenizer")), ignoreMerges) ?? throw Bad("how it cuts texts");
        (byte[][] tokens, int[] kinds) = writer.Tokens(root, model, tokenizer.Vocab);
        return new GgufVocabulary
        {
            Model = "gpt2", Pre = pre, Tokens = tokens, Kinds = kinds, Merges = [.. writer._json.List(model, "merges").Select(writer.Merge)],
            Bos = tokenizer.Bos, Eos = tokenizer.Eos, AddBos = tokenizer.PromptStart.Count > 0,
        };
    }

    private static UserException Bad(string what) => new($"tokenizer: {what} cannot be written in a GGUF file");

    private List<string> Patterns(JsonElement? cutter)
    {
        var patterns = new List<string>();
        foreach (JsonElement stage in _json.Flat(cutter, "pretokenizers"))
        {
            switch (JsonFields.TypeOf(stage))
            {
                case "ByteLevel" when !_json.Flag(stage, "add_prefix_space", true):
                    patterns.AddRange(_json.Flag(stage, "use_regex", true) ? [StageReader.Gpt2] : Array.Empty<string>());
                    break;
                case "Digits" when _json.Flag(stage, "individual_digits", false):
                    patterns.Add(@"\p{N}");
                    break;
                case "Split" when _json.Text(stage, "behavior", "") == "Isolated" && !_json.Flag(stage, "invert", false)
                    && JsonFields.Part(stage, "pattern") is { } pattern && JsonFields.Part(pattern, "Regex") is { } regex:
                    patterns.Add(_json.Text(regex, "pattern"));
                    break;
                case var other:
                    throw Bad($"the pre-tokenizer {other}");
            }
        }

        return patterns;
    }

    private (byte[][] Tokens, int[] Kinds) Tokens(JsonElement root, JsonElement model, int count)
    {
        byte[][] tokens = [.. Enumerable.Range(0, count).Select(id => Encoding.UTF8.GetBytes($"[UNUSED{id}]"))];
        int[] kinds = [.. Enumerable.Repeat(GgufVocabulary.Unused, count)];
        if (JsonFields.Part(model, "vocab") is { ValueKind: JsonValueKind.Object } vocab)
        {
            foreach (JsonProperty token in vocab.EnumerateObject())
            {
                int id = _json.Id(token.Value, "model.vocab");
                (tokens[id], kinds[id]) = (Encoding.UTF8.GetBytes(token.Name), GgufVocabulary.Normal);
            }
        }

        foreach (JsonElement token in _json.List(root, "added_tokens"))
        {
            int id = _json.Id(JsonFields.Part(token, "id"), "added_tokens.id");
            tokens[id] = Encoding.UTF8.GetBytes(_json.Text(JsonFields.Part(token, "content"), "added_tokens.content"));
            kinds[id] = _json.Flag(token, "special", false) ? GgufVocabulary.Control : GgufVocabulary.UserDefined;
        }

        return (tokens, kinds);
    }

    private string Merge(JsonElement merge) => merge.ValueKind == JsonValueKind.Array
        ? string.Join(' ', merge.EnumerateArray().Select(part => _json.Text(part, "model.merges")))
        : _json.Text(merge, "model.merges");
}
