using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// Reads a <c>tokenizer.json</c> of the kind that this program writes, and checks all of it: byte-level BPE whose pre-tokenizer is <c>ByteLevel</c> with its regular
/// expression and no prefix space (GPT-2's kind), no normalizer, added tokens that are special and nothing more, all bytes in the vocabulary. A model without a
/// <c>type</c>, as GPT-2's own file has it, is of the kind that its fields show. Every other file is <see cref="PipelineReader"/>'s.
/// </summary>
internal sealed class TokenizerJsonReader(string path)
{
    private readonly Dictionary<string, int> _vocab = [];
    private readonly List<SpecialToken> _specials = [];

    /// <summary>Whether a file is of that kind, or no tokenizer at all, which <see cref="Read"/> says.</summary>
    public static bool IsPlain(JsonElement root)
    {
        if (Part(root, "model") is not { } model || KindOf(model) == "none")
        {
            return true;
        }

        JsonElement? cutter = OnlyOf(Part(root, "pre_tokenizer"), "pretokenizers");
        return KindOf(model) == "BPE"
            && Part(root, "normalizer") is null && Part(root, "truncation") is null && Part(root, "padding") is null
            && TypeOf(cutter) == "ByteLevel" && Is(cutter!.Value, "use_regex", true, true) && Is(cutter.Value, "add_prefix_space", false, true)
            && TypeOf(OnlyOf(Part(root, "decoder"), "decoders")) == "ByteLevel"
            && (Part(root, "post_processor") is not { } around || TypeOf(around) == "ByteLevel")
            && HasPlainAdded(root) && HasPlainModel(root, model);
    }

    private static bool HasPlainAdded(JsonElement root) =>
        Part(root, "added_tokens") is not { ValueKind: JsonValueKind.Array } added
        || added.EnumerateArray().All(token => Is(token, "special", true, false) && Is(token, "lstrip", false, false) && Is(token, "rstrip", false, false) && Is(token, "single_word", false, false));

    private static bool HasPlainModel(JsonElement root, JsonElement model)
    {
        if (((string[])["continuing_subword_prefix", "end_of_word_suffix"]).Any(affix => Part(model, affix) is { } value && !(value.ValueKind == JsonValueKind.String && value.GetString()!.Length == 0))
            || Part(model, "dropout") is { } || !Is(model, "byte_fallback", false, false))
        {
            return false;
        }

        if (Part(model, "vocab") is not { ValueKind: JsonValueKind.Object } vocab)
        {
            return true;
        }

        HashSet<string> added = Part(root, "added_tokens") is { ValueKind: JsonValueKind.Array } list
            ? [.. list.EnumerateArray().Select(token => Part(token, "content") is { ValueKind: JsonValueKind.String } content ? content.GetString()! : "")]
            : [];
        int single = 0;
        foreach (JsonProperty entry in vocab.EnumerateObject())
        {
            bool bytes = ByteUnicode.TryDecode(entry.Name, out _);
            if (!bytes && !added.Contains(entry.Name))
            {
                return false;
            }

            single += bytes && entry.Name.Length == 1 ? 1 : 0;
        }

        return single >= 256;
    }

    private static bool Is(JsonElement owner, string key, bool wanted, bool otherwise) => Part(owner, key) switch
    {
        null => otherwise == wanted,
        { ValueKind: JsonValueKind.True } => wanted,
        { ValueKind: JsonValueKind.False } => !wanted,
        _ => false,
    };

    public BpeModel Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Bad("the file is not a JSON object");
        }

        JsonElement? model = Part(root, "model");
        if (model is null)
        {
            throw Bad(root.EnumerateObject().Take(300).Count(entry => entry.Value.ValueKind == JsonValueKind.Number) >= 256
                ? "is a vocabulary without merges; a tokenizer.json has both"
                : "has no \"model\", so it is not a tokenizer.json");
        }

        string kind = KindOf(model.Value);
        if (kind != "BPE")
        {
            throw Bad($"model type '{kind}' is not supported, only BPE");
        }

        CheckStages(root);
        CheckModelOptions(model!.Value);
        ReadVocab(model.Value);
        ReadSpecials(root);
        byte[][] tokens = TokenBytes();
        return new BpeModel(tokens, ReadMerges(model.Value, tokens), [.. _specials], Flag(model.Value, "ignore_merges", false));
    }

    private void CheckStages(JsonElement root)
    {
        if (Part(root, "normalizer") is { } normalizer)
        {
            throw Bad($"normalizer '{NameOf(normalizer, "normalizers")}' is not supported: text must be taken as it is");
        }

        JsonElement? cutter = OnlyOf(Part(root, "pre_tokenizer"), "pretokenizers");
        if (TypeOf(cutter) != "ByteLevel")
        {
            throw Bad($"pre_tokenizer '{NameOf(cutter, "pretokenizers")}' is not supported, only ByteLevel");
        }

        if (!Flag(cutter!.Value, "use_regex", true))
        {
            throw Bad("pre_tokenizer ByteLevel without use_regex is not supported");
        }

        if (Flag(cutter.Value, "add_prefix_space", true))
        {
            throw Bad("pre_tokenizer ByteLevel with add_prefix_space is not supported");
        }

        JsonElement? decoder = OnlyOf(Part(root, "decoder"), "decoders");
        if (TypeOf(decoder) != "ByteLevel")
        {
            throw Bad($"decoder '{NameOf(decoder, "decoders")}' is not supported, only ByteLevel");
        }
    }

    private void CheckModelOptions(JsonElement model)
    {
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (Part(model, affix) is { } value && Text(value, affix).Length > 0)
            {
                throw Bad($"model.{affix} is not supported");
            }
        }

        if (Part(model, "dropout") is { } dropout && (dropout.ValueKind != JsonValueKind.Number || dropout.GetDouble() != 0))
        {
            throw Bad("model.dropout is not supported");
        }

        if (Flag(model, "byte_fallback", false))
        {
            throw Bad("model.byte_fallback is not supported: the vocabulary must be byte-level");
        }
    }

    private void ReadVocab(JsonElement model)
    {
        if (Part(model, "vocab") is not { ValueKind: JsonValueKind.Object } vocab)
        {
            throw Bad("model.vocab is missing or no object");
        }

        foreach (JsonProperty entry in vocab.EnumerateObject())
        {
            if (!_vocab.TryAdd(entry.Name, Id(entry.Value, "model.vocab")))
            {
                throw Bad($"model.vocab has '{entry.Name}' twice");
            }
        }
    }

    private void ReadSpecials(JsonElement root)
    {
        if (Part(root, "added_tokens") is not { } added)
        {
            return;
        }

        if (added.ValueKind != JsonValueKind.Array)
        {
            throw Bad("added_tokens is no array");
        }

        var seen = new HashSet<string>();
        foreach (JsonElement token in added.EnumerateArray())
        {
            string name = Text(Part(token, "content"), "added_tokens.content");
            if (!Flag(token, "special", false))
            {
                throw Bad($"added token '{name}' that is not special is not supported");
            }

            int id = Id(Part(token, "id"), "added_tokens.id");
            if (!seen.Add(name) || (_vocab.TryGetValue(name, out int known) && known != id))
            {
                throw Bad($"added token '{name}' has two ids");
            }

            _specials.Add(new SpecialToken(id, name));
        }
    }

    // The bytes of each id. Ids must be 0, 1, 2 … without holes, so nothing is sized by a number in the file.
    private byte[][] TokenBytes()
    {
        var tokens = new byte[_vocab.Count + _specials.Count(special => !_vocab.ContainsKey(special.Name))][];
        foreach (SpecialToken special in _specials)
        {
            Put(tokens, special.Id, [], special.Name);
            _vocab.Remove(special.Name);
        }

        bool[] single = new bool[256];
        foreach ((string symbol, int id) in _vocab)
        {
            if (symbol.Length == 0 || !ByteUnicode.TryDecode(symbol, out byte[]? bytes))
            {
                throw Bad($"model.vocab '{symbol}' is not in the byte-level alphabet");
            }

            Put(tokens, id, bytes, symbol);
            if (bytes.Length == 1)
            {
                single[bytes[0]] = true;
            }
        }

        int missing = Array.IndexOf(single, false);
        return missing < 0 ? tokens : throw Bad($"model.vocab lacks the byte {missing}, so it cannot write every text");
    }

    private BpeMerge[] ReadMerges(JsonElement model, byte[][] tokens)
    {
        if (Part(model, "merges") is not { ValueKind: JsonValueKind.Array } list)
        {
            throw Bad("model.merges is missing or no array");
        }

        var merges = new List<BpeMerge>();
        var seen = new HashSet<long>();
        foreach (JsonElement entry in list.EnumerateArray())
        {
            string[] pair = entry.ValueKind == JsonValueKind.Array
                ? [.. entry.EnumerateArray().Take(3).Select(side => Text(side, "model.merges"))]
                : Text(entry, "model.merges").Split(' ');
            if (pair.Length != 2
                || !_vocab.TryGetValue(pair[0], out int left)
                || !_vocab.TryGetValue(pair[1], out int right)
                || !_vocab.TryGetValue(pair[0] + pair[1], out int merged))
            {
                throw Bad($"model.merges[{merges.Count}] '{string.Join(' ', pair)}' is not a pair of tokens that join to a token");
            }

            if (!seen.Add(((long)left << 32) | (uint)right))
            {
                throw Bad($"model.merges has '{string.Join(' ', pair)}' twice");
            }

            merges.Add(new BpeMerge(left, right, merged));
        }

        return [.. merges];
    }

    private void Put(byte[][] tokens, int id, byte[] bytes, string name)
    {
        if (id >= tokens.Length || tokens[id] is not null)
        {
            throw Bad($"the id {id} of '{name}' is used twice or leaves a hole: {tokens.Length} tokens need the ids 0 to {tokens.Length - 1}");
        }

        tokens[id] = bytes;
    }

    // In the order in which Hugging Face's readers try them.
    public static string KindOf(JsonElement model) => Part(model, "type") switch
    {
        not null => TypeOf(model),
        null when Part(model, "merges") is not null => "BPE",
        null when Part(model, "max_input_chars_per_word") is not null => "WordPiece",
        null when Part(model, "vocab") is { ValueKind: JsonValueKind.Array } => "Unigram",
        null when Part(model, "vocab") is not null => "WordLevel",
        _ => "none",
    };

    // A Sequence of just one stage is that stage.
    private static JsonElement? OnlyOf(JsonElement? stage, string list) =>
        TypeOf(stage) == "Sequence" && Part(stage!.Value, list) is { ValueKind: JsonValueKind.Array } inner && inner.GetArrayLength() == 1
            ? inner[0]
            : stage;

    // A Sequence is named with its stages.
    private static string NameOf(JsonElement? stage, string list) =>
        TypeOf(stage) == "Sequence" && Part(stage!.Value, list) is { ValueKind: JsonValueKind.Array } inner
            ? $"Sequence of {string.Join(", ", inner.EnumerateArray().Take(8).Select(part => TypeOf(part)))}"
            : TypeOf(stage);

    private static JsonElement? Part(JsonElement owner, string key) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(key, out JsonElement value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    private static string TypeOf(JsonElement? stage) =>
        stage is { } given && Part(given, "type") is { ValueKind: JsonValueKind.String } type ? type.GetString()! : "none";

    private string Text(JsonElement? value, string key) =>
        value is { ValueKind: JsonValueKind.String } given ? given.GetString()! : throw Bad($"{key} is not a string");

    private int Id(JsonElement? value, string key) =>
        value is { ValueKind: JsonValueKind.Number } given && given.TryGetInt32(out int id) && id >= 0
            ? id
            : throw Bad($"{key} has an id that is not a whole number from 0");

    private bool Flag(JsonElement owner, string key, bool otherwise) =>
        Part(owner, key) switch
        {
            null => otherwise,
            { ValueKind: JsonValueKind.True } => true,
            { ValueKind: JsonValueKind.False } => false,
            _ => throw Bad($"{key} is neither true nor false"),
        };

    private UserException Bad(string problem) => new($"{path}: {TokenizerJson.Shorten(problem)}");
}
