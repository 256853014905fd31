using NanoFold.Engine.Text;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>The tokenizer in the metadata of a GGUF file.</summary>
internal static class GgufTokenizer
{
    private const string Prefix = "tokenizer.ggml.", Kind = Prefix + "model", Tokens = Prefix + "tokens", Types = Prefix + "token_type", Scores = Prefix + "scores", Merges = Prefix + "merges";
    /// <summary>The key of the chat template.</summary>
    public const string ChatTemplateKey = "tokenizer.chat_template";

    private const string ByteLevel = "gpt2", SentencePieces = "llama";

    // Kinds that llama.cpp knows besides.
    private static readonly string[] s_others = ["bert", "t5", "rwkv", "plamo2", "gemma4", "hybriddna"];

    private static readonly string[] s_none = ["none", "no_vocab"];

    private static readonly string[] s_ids = ["bos_token_id", "eos_token_id", "unknown_token_id", "padding_token_id", "eot_token_id", "eom_token_id", "seperator_token_id", "mask_token_id"];

    /// <summary>Checks what there is against the model; the tokenizer itself is made when it is wanted.</summary>
    /// <param name="metadata">Of the file.</param>
    /// <param name="vocab">Rows of the embedding.</param>
    /// <exception cref="UserException">It is missing or damaged, or its size is not the model's.</exception>
    public static void Check(GgufMetadata metadata, int vocab)
    {
        string kind = metadata.TextOf(Kind) ?? throw new UserException($"{metadata.Path}: has no {Kind}, which says what its tokens are");
        if (s_none.Contains(kind))
        {
            return;
        }

        if (kind is not (ByteLevel or SentencePieces) && !s_others.Contains(kind))
        {
            throw metadata.Fault(Kind, $"is no kind of tokenizer that is known; those that are supported: {ByteLevel}, {SentencePieces}");
        }

        GgufValue tokens = List(metadata, Tokens, GgufKind.String) ?? throw new UserException($"{metadata.Path}: has no {Tokens}");
        if (tokens.Count != vocab)
        {
            throw metadata.Fault(Tokens, $"the embedding has {vocab} rows");
        }

        foreach ((string key, GgufKind element) in new[] { (Types, GgufKind.Int32), (Scores, GgufKind.Float32) })
        {
            if (List(metadata, key, element) is { } list && list.Count != tokens.Count)
            {
                throw metadata.Fault(key, $"there are {tokens.Count} tokens");
            }
        }

        if (kind == ByteLevel && List(metadata, Merges, GgufKind.String) is null)
        {
            throw new UserException($"{metadata.Path}: has no {Merges}, which its kind of tokenizer needs");
        }

        foreach (string id in s_ids)
        {
            IdOf(metadata, id, tokens.Count);
        }
    }

    /// <summary>The tokenizer; null where the file says that there is none.</summary>
    /// <exception cref="UserException">It is damaged, or of a kind that is not supported.</exception>
    public static Tokenizer? Read(GgufMetadata metadata)
    {
        string kind = metadata.TextOf(Kind)!;
        if (s_none.Contains(kind))
        {
            return null;
        }

        if (kind is not (ByteLevel or SentencePieces))
        {
            throw metadata.Fault(Kind, $"tokenizers of this kind are not supported, only {ByteLevel} and {SentencePieces}; --tokenizer FILE gives the model another one");
        }

        GgufValue tokens = metadata.Find(Tokens)!;
        var vocabulary = new GgufVocabulary
        {
            Model = kind,
            Tokens = [.. Enumerable.Range(0, tokens.Count).Select(i => tokens.BytesAt(i).ToArray())],
            Kinds = metadata.Find(Types) is { } types ? types.Elements<int>() : [],
            Scores = metadata.Find(Scores) is { } scores ? scores.Elements<float>() : [],
            Merges = kind == ByteLevel && metadata.Find(Merges) is { } merges ? [.. Enumerable.Range(0, merges.Count).Select(merges.TextAt)] : [],
            Bos = IdOf(metadata, "bos_token_id", tokens.Count),
            Eos = IdOf(metadata, "eos_token_id", tokens.Count),
            AddBos = metadata.Find(Prefix + "add_bos_token")?.Flag,
        };
        vocabulary = vocabulary with
        {
            Pre = metadata.TextOf(Prefix + "pre") ?? vocabulary.Pre,
            AddSpacePrefix = metadata.FlagOf(Prefix + "add_space_prefix", vocabulary.AddSpacePrefix),
            RemoveExtraWhitespaces = metadata.FlagOf(Prefix + "remove_extra_whitespaces", vocabulary.RemoveExtraWhitespaces),
        };
        return vocabulary.ToTokenizer(metadata.Path);
    }

    /// <summary>The chat template, or null.</summary>
    /// <exception cref="UserException">It is no text.</exception>
    public static string? ChatTemplate(GgufMetadata metadata) => metadata.TextOf(ChatTemplateKey);

    private static int? IdOf(GgufMetadata metadata, string name, int count)
    {
        string key = Prefix + name;
        return metadata.Find(key) is not { } value ? null
            : value.Integer is { } id && id >= 0 && id < count ? (int)id
            : value.Integer is uint.MaxValue or -1 ? null
            : throw metadata.Fault(key, $"is none of {count} tokens");
    }

    private static GgufValue? List(GgufMetadata metadata, string key, GgufKind element) => metadata.Find(key) is not { } value ? null
        : value.Kind == GgufKind.Array && (value.Element == element || (element == GgufKind.Int32 && value.Element == GgufKind.UInt32)) ? value
        : throw metadata.Fault(key, $"expected a list of {element}");
}
