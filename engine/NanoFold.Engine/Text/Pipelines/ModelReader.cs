using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>A model as read: its last stage, its tokens, its merges, and whether pieces come to it as bytes.</summary>
internal sealed record ReadModel(string Kind, Stage Stage, IReadOnlyDictionary<string, int> Tokens, MergeTable? Merges = null, bool OfBytes = false);

/// <summary>Tokens of BPE and what is made of pairs of them, in order of rank.</summary>
internal sealed record BpeTables(Dictionary<string, int> Tokens, IReadOnlyList<BpeMerge> Merges);

/// <summary>Reads the model of a <c>tokenizer.json</c>.</summary>
internal sealed class ModelReader(JsonFields json)
{
    private const int MostCharacters = 100;

    /// <param name="model">The model.</param>
    /// <param name="afterBytes">Whether the last thing done before it is to write bytes as characters.</param>
    /// <param name="tables">Of BPE, tokens and merges where they are not in the file.</param>
    public ReadModel Read(JsonElement model, bool afterBytes, BpeTables? tables = null) => TokenizerJsonReader.KindOf(model) switch
    {
        "BPE" => ReadBpe(model, afterBytes, tables),
        "Unigram" => ReadUnigram(model),
        "WordPiece" => ReadWordPiece(model),
        "WordLevel" => ReadWordLevel(model),
        var other => throw json.Bad($"model type '{other}' is not supported, only BPE, Unigram, WordPiece and WordLevel"),
    };

    private ReadModel ReadBpe(JsonElement model, bool afterBytes, BpeTables? tables)
    {
        if (JsonFields.Part(model, "dropout") is { } dropout && (dropout.ValueKind != JsonValueKind.Number || dropout.GetDouble() != 0))
        {
            throw json.Bad("model.dropout is not supported: the same text would not always give the same tokens");
        }

        Dictionary<string, int> tokens = tables?.Tokens ?? ReadVocab(model);
        string unknown = json.Text(model, "unk_token", "");
        var options = new BpeOptions
        {
            Unknown = unknown.Length > 0 ? unknown : null,
            Prefix = json.Text(model, "continuing_subword_prefix", ""),
            Suffix = json.Text(model, "end_of_word_suffix", ""),
            FuseUnknown = json.Flag(model, "fuse_unk", false),
            ByteFallback = json.Flag(model, "byte_fallback", false),
            IgnoreMerges = json.Flag(model, "ignore_merges", false),
        };
        if (options.Unknown is not null && !tokens.ContainsKey(options.Unknown))
        {
            throw json.Bad($"model.unk_token '{options.Unknown}' is not in model.vocab");
        }

        var merges = new MergeTable(tables?.Merges ?? ReadMerges(model, tokens, options.Prefix.Length));
        bool bytes = afterBytes && options.Prefix.Length == 0 && !options.ByteFallback;
        Stage stage = bytes ? new ByteBpeStage(tokens, options) : new CharacterBpeStage(new Vocabulary(tokens), options);
        return new ReadModel("bpe", stage, tokens, merges, bytes);
    }

    private IReadOnlyList<BpeMerge> ReadMerges(JsonElement model, Dictionary<string, int> tokens, int prefix)
    {
        if (JsonFields.Part(model, "merges") is not { ValueKind: JsonValueKind.Array } list)
        {
            throw json.Bad("model.merges is missing or no array");
        }

        var merges = new MergeList(tokens, prefix);
        foreach (JsonElement entry in list.EnumerateArray())
        {
            bool isPair = entry.ValueKind == JsonValueKind.Array
                ? entry.GetArrayLength() == 2 && merges.TryAdd(json.Text(entry[0], "model.merges"), json.Text(entry[1], "model.merges"))
                : merges.TryAdd(json.Text(entry, "model.merges"));
            if (!isPair)
            {
                throw json.Bad(merges.Fault(entry.ValueKind == JsonValueKind.Array ? string.Join(' ', entry.EnumerateArray().Take(3).Select(side => json.Text(side, "model.merges"))) : entry.GetString()!));
            }
        }

        return merges.Merges;
    }

    private ReadModel ReadUnigram(JsonElement model)
    {
        var pieces = new List<(string Text, double Score)>();
        foreach (JsonElement entry in json.List(model, "vocab"))
        {
            if (entry.ValueKind != JsonValueKind.Array || entry.GetArrayLength() != 2 || entry[1].ValueKind != JsonValueKind.Number || !double.IsFinite(entry[1].GetDouble()))
            {
                throw json.Bad($"model.vocab[{pieces.Count}] is not a token and its score");
            }

            pieces.Add((json.Text(entry[0], "model.vocab"), entry[1].GetDouble()));
        }

        if (pieces.Count == 0)
        {
            throw json.Bad("model.vocab is empty");
        }

        int unknown = JsonFields.Part(model, "unk_id") is { } id ? json.Id(id, "model.unk_id") : -1;
        if (unknown >= pieces.Count)
        {
            throw json.Bad($"model.unk_id {unknown} is beyond the {pieces.Count} tokens");
        }

        var tokens = new Dictionary<string, int>();
        for (int i = 0; i < pieces.Count; i++)
        {
            if (!tokens.TryAdd(pieces[i].Text, i))
            {
                throw json.Bad($"model.vocab has '{pieces[i].Text}' twice");
            }
        }

        return new ReadModel("unigram", new UnigramStage(pieces, unknown, json.Flag(model, "byte_fallback", false)), tokens);
    }

    private ReadModel ReadWordPiece(JsonElement model)
    {
        Dictionary<string, int> tokens = ReadVocab(model);
        var stage = new WordPieceStage(
            new Vocabulary(tokens), UnknownOf(model, tokens, "[UNK]"), json.Text(model, "continuing_subword_prefix", "##"), json.Count(model, "max_input_chars_per_word", MostCharacters));
        return new ReadModel("wordpiece", stage, tokens);
    }

    private ReadModel ReadWordLevel(JsonElement model)
    {
        Dictionary<string, int> tokens = ReadVocab(model);
        return new ReadModel("wordlevel", new WordLevelStage(new Vocabulary(tokens), UnknownOf(model, tokens, "<unk>")), tokens);
    }

    private int UnknownOf(JsonElement model, Dictionary<string, int> tokens, string otherwise)
    {
        string name = json.Text(model, "unk_token", otherwise);
        return tokens.TryGetValue(name, out int id) ? id : throw json.Bad($"model.unk_token '{name}' is not in model.vocab");
    }

    private Dictionary<string, int> ReadVocab(JsonElement model)
    {
        if (JsonFields.Part(model, "vocab") is not { ValueKind: JsonValueKind.Object } vocab)
        {
            throw json.Bad("model.vocab is missing or no object");
        }

        var tokens = new Dictionary<string, int>();
        foreach (JsonProperty entry in vocab.EnumerateObject())
        {
            if (!tokens.TryAdd(entry.Name, json.Id(entry.Value, "model.vocab")))
            {
                throw json.Bad($"model.vocab has '{entry.Name}' twice");
            }
        }

        return tokens;
    }
}
