using System.Text.Json;

namespace NanoFold.Engine.Text;

/// <summary>
/// Reads any <c>tokenizer.json</c> whose parts are known: model (BPE, Unigram, WordPiece, WordLevel), normalizers, pre-tokenizers, decoders, what is put around a text,
/// truncation, padding, added tokens. What is not known is refused by its name, for it would change ids.
/// </summary>
internal sealed class PipelineReader(string path)
{
    // Ids may leave holes, but nothing is sized by a number in the file alone.
    private const int MostHoles = 1 << 16;

    private static readonly string[] s_bosNames = ["<bos>", "<|bos|>", "<s>", "<|begin_of_text|>", "<|startoftext|>", "[CLS]", "<|endoftext|>"];
    private static readonly string[] s_eosNames = ["<eos>", "<|eos|>", "</s>", "<|end_of_text|>", "<|endoftext|>", "[SEP]"];

    private readonly JsonFields _json = new(path);

    /// <param name="root">The file.</param>
    /// <param name="source">Its bytes, or what is written for them.</param>
    /// <param name="tables">Of BPE, tokens and merges where they are not in the file.</param>
    public Tokenizer Read(JsonElement root, Func<byte[]> source, BpeTables? tables = null)
    {
        JsonElement model = JsonFields.Part(root, "model") ?? throw _json.Bad("has no \"model\", so it is not a tokenizer.json");
        AddedToken[] added = [.. _json.List(root, "added_tokens").Select(ReadAdded)];
        var models = new ModelReader(_json);
        ReadModel read = models.Read(model, new StageReader(_json).EndsInBytes(JsonFields.Part(root, "pre_tokenizer")), tables);
        CompleteForm form = new FormReader(_json).Read(root);
        string?[] tokens = TokensOf(read.Tokens, added);
        int beyond = form.Before.Concat(form.After).Append(form.PadId).Concat(((int?[])[Mark(root, "bos"), Mark(root, "eos")]).OfType<int>()).FirstOrDefault(id => id >= tokens.Length, -1);
        if (beyond >= 0)
        {
            throw _json.Bad($"the id {beyond} that stands around texts is not one of the {tokens.Length} tokens");
        }

        return new PipelineTokenizer(new Pipeline
        {
            Kind = read.Kind,
            Tokens = tokens,
            Added = added,
            Normalizers = new NormalizerReader(_json).Read(JsonFields.Part(root, "normalizer")),
            Stages = [.. new StageReader(_json).Read(JsonFields.Part(root, "pre_tokenizer"), read.OfBytes), read.Stage],
            Merges = read.Merges,
            Decoders = new DecoderReader(_json).Read(JsonFields.Part(root, "decoder")),
            Form = form,
            Bos = Mark(root, "bos") ?? (form.Before.Count > 0 ? form.Before[0] : IdOf(added, s_bosNames)),
            Eos = Mark(root, "eos") ?? (form.After.Count > 0 ? form.After[^1] : IdOf(added, s_eosNames)),
            Source = source,
        });
    }

    // Named by another file from which this one was made.
    private int? Mark(JsonElement root, string key) =>
        JsonFields.Part(root, OwnForm.Key) is { } own && JsonFields.Part(own, key) is { } id ? _json.Id(id, key) : null;

    private static int? IdOf(AddedToken[] added, string[] names) =>
        names.Select(name => Array.Find(added, token => token.Special && token.Content == name)?.Id).FirstOrDefault(id => id is not null);

    private AddedToken ReadAdded(JsonElement token) => new(_json.Id(JsonFields.Part(token, "id"), "added_tokens.id"), _json.Text(JsonFields.Part(token, "content"), "added_tokens.content"))
    {
        SingleWord = _json.Flag(token, "single_word", false),
        Left = _json.Flag(token, "lstrip", false),
        Right = _json.Flag(token, "rstrip", false),
        Normalized = _json.Flag(token, "normalized", !_json.Flag(token, "special", false)),
        Special = _json.Flag(token, "special", false),
    };

    private string?[] TokensOf(IReadOnlyDictionary<string, int> vocabulary, AddedToken[] added)
    {
        int most = vocabulary.Values.Append(-1).Concat(added.Select(token => token.Id)).Max();
        if (most < 0)
        {
            throw _json.Bad("has no tokens");
        }

        if (most > (2L * (vocabulary.Count + added.Length)) + MostHoles)
        {
            throw _json.Bad($"the id {most} leaves a hole: there are {vocabulary.Count + added.Length} tokens");
        }

        string?[] tokens = new string?[most + 1];
        foreach ((string token, int id) in vocabulary)
        {
            tokens[id] = tokens[id] is null ? token : throw _json.Bad($"the id {id} of '{token}' is used twice");
        }

        var addedIds = new Dictionary<string, int>();
        var taken = new HashSet<int>();
        foreach (AddedToken token in added)
        {
            if ((addedIds.TryGetValue(token.Content, out int known) || vocabulary.TryGetValue(token.Content, out known)) && known != token.Id)
            {
                throw _json.Bad($"the token '{token.Content}' has two ids");
            }

            // An added token takes the place of one of the vocabulary.
            bool takes = taken.Add(token.Id);
            if (tokens[token.Id] is { } other && other != token.Content && !takes)
            {
                throw _json.Bad($"the id {token.Id} of '{token.Content}' is used twice");
            }

            addedIds[token.Content] = token.Id;
            tokens[token.Id] = token.Content;
        }

        return tokens;
    }
}
