using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>A tokenizer as the metadata of a GGUF file has it (<c>tokenizer.ggml.…</c>).</summary>
public sealed record GgufVocabulary
{
    internal const int Normal = 1, Control = 3, UserDefined = 4, Unused = 5;

    /// <summary><c>model</c>: <c>gpt2</c> (byte-level BPE) or <c>llama</c> (SentencePiece).</summary>
    public required string Model { get; init; }

    /// <summary><c>pre</c>: the name of how <c>gpt2</c> cuts texts.</summary>
    public string Pre { get; init; } = "default";

    /// <summary><c>tokens</c>, in UTF-8.</summary>
    public required IReadOnlyList<byte[]> Tokens { get; init; }

    /// <summary><c>token_type</c>: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte; all normal where it is missing.</summary>
    public IReadOnlyList<int> Kinds { get; init; } = [];

    /// <summary><c>scores</c>, of <c>llama</c>.</summary>
    public IReadOnlyList<float> Scores { get; init; } = [];

    /// <summary><c>merges</c>, of <c>gpt2</c>: two tokens with a space between.</summary>
    public IReadOnlyList<string> Merges { get; init; } = [];

    /// <summary><c>bos_token_id</c>.</summary>
    public int? Bos { get; init; }

    /// <summary><c>eos_token_id</c>.</summary>
    public int? Eos { get; init; }

    /// <summary><c>add_bos_token</c>: whether a prompt begins with it; by the model where it is missing.</summary>
    public bool? AddBos { get; init; }

    /// <summary><c>add_space_prefix</c>, of <c>llama</c>.</summary>
    public bool AddSpacePrefix { get; init; } = true;

    /// <summary><c>remove_extra_whitespaces</c>, of <c>llama</c>.</summary>
    public bool RemoveExtraWhitespaces { get; init; }

    /// <summary>A tokenizer as metadata of a GGUF file.</summary>
    /// <exception cref="UserException">It does something that the format does not know; which is said.</exception>
    public static GgufVocabulary Of(Tokenizer tokenizer) => tokenizer is SentencePieceTokenizer pieces ? OfPieces(pieces) : GgufVocabularyWriter.Of(tokenizer);

    /// <summary>The tokenizer.</summary>
    /// <exception cref="UserException">It is damaged, or of a kind that is not supported.</exception>
    /// <param name="path">Of the file, for messages.</param>
    public Tokenizer ToTokenizer(string path)
    {
        if ((Kinds.Count != 0 && Kinds.Count != Tokens.Count) || (Scores.Count != 0 && Scores.Count != Tokens.Count))
        {
            throw new UserException($"{path}: tokenizer.ggml: {Tokens.Count} tokens, {Kinds.Count} types and {Scores.Count} scores do not belong together");
        }

        if ((Outside(Bos) ?? Outside(Eos)) is { } id)
        {
            throw new UserException($"{path}: tokenizer.ggml: the token {id} is not one of the {Tokens.Count}");
        }

        try
        {
            return Model switch
            {
                "llama" => OfPieces(),
                "gpt2" => new GgufByteLevel(this, GgufPatterns.Of(Pre) ?? throw new UserException($"{path}: tokenizer.ggml.pre '{Pre}' is not supported: how texts are cut is not known")).Read(path),
                _ => throw new UserException($"{path}: tokenizer.ggml.model '{Model}' is not supported, only gpt2 and llama"),
            };
        }
        catch (FormatException e)
        {
            throw new UserException($"{path}: tokenizer.ggml: {TokenizerJson.Shorten(e.Message)}", e);
        }
    }

    private static GgufVocabulary OfPieces(SentencePieceTokenizer tokenizer)
    {
        SentencePieceModel model = tokenizer.Model;
        string? what = model.Method != PieceMethod.Bpe ? $"a model of kind {model.Method}"
            : !model.CharsMap.IsEmpty ? "rules of normalization"
            : model.WhitespaceAsSuffix ? "spaces at the ends of words"
            : !model.EscapeWhitespaces ? "spaces as they are"
            : null;
        return what is not null
            ? throw new UserException($"tokenizer: {what} cannot be written in a GGUF file")
            : new GgufVocabulary
            {
                Model = "llama", Tokens = [.. model.Pieces.Select(piece => piece.Text)], Kinds = [.. model.Pieces.Select(piece => (int)piece.Kind)], Scores = [.. model.Pieces.Select(piece => piece.Score)],
                Bos = tokenizer.Bos, Eos = tokenizer.Eos, AddBos = model.AddBos, AddSpacePrefix = model.AddDummyPrefix, RemoveExtraWhitespaces = model.RemoveExtraWhitespaces,
            };
    }

    private int? Outside(int? id) => id is { } given && (given < 0 || given >= Tokens.Count) ? given : null;

    internal int KindOf(int id) => Kinds.Count == 0 ? 1 : Kinds[id];

    private SentencePieceTokenizer OfPieces()
    {
        SentencePiece[] pieces = [.. Tokens.Select((token, id) => new SentencePiece(token, Scores.Count == 0 ? 0 : Scores[id], (PieceKind)KindOf(id)))];
        if (pieces.Any(piece => piece.Text.Length == 0 || !float.IsFinite(piece.Score) || !Enum.IsDefined(piece.Kind)) || pieces.Count(piece => piece.Kind == PieceKind.Unknown) != 1)
        {
            throw new FormatException("a token is empty, has a score or a type that is none, or not exactly one is unknown");
        }

        return new SentencePieceTokenizer(new SentencePieceModel
        {
            Pieces = pieces, Method = PieceMethod.Bpe, ByteFallback = pieces.Any(piece => piece.Kind == PieceKind.Byte), AddDummyPrefix = AddSpacePrefix,
            RemoveExtraWhitespaces = RemoveExtraWhitespaces, BosId = Bos ?? -1, EosId = Eos ?? -1, AddBos = AddBos ?? true,
        });
    }
}
