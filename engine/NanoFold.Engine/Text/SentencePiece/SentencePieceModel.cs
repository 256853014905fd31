namespace NanoFold.Engine.Text;

/// <summary>What a piece of a SentencePiece model is; the numbers are those of its file.</summary>
public enum PieceKind
{
    /// <summary>Text.</summary>
    Normal = 1,

    /// <summary>In place of text that is no piece.</summary>
    Unknown = 2,

    /// <summary>Stands for no text, such as the begin of a document.</summary>
    Control = 3,

    /// <summary>Text that is never cut.</summary>
    UserDefined = 4,

    /// <summary>Never used.</summary>
    Unused = 5,

    /// <summary>A byte, <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.</summary>
    Byte = 6,
}

/// <summary>How a SentencePiece model cuts; the numbers are those of its file.</summary>
public enum PieceMethod
{
    /// <summary>The most likely pieces.</summary>
    Unigram = 1,

    /// <summary>Neighbors whose join has the best score are joined.</summary>
    Bpe = 2,

    /// <summary>Whole words.</summary>
    Word = 3,

    /// <summary>Characters.</summary>
    Char = 4,
}

/// <summary>A piece: its text (UTF-8, with U+2581 for a space), its score, what it is.</summary>
public readonly record struct SentencePiece(byte[] Text, float Score, PieceKind Kind);

/// <summary>
/// A SentencePiece model: what <c>tokenizer.model</c>, the tokenizer of a GGUF file of kind <c>llama</c> and llama2.c's <c>tokenizer.bin</c> hold.
/// Source: Kudo and Richardson 2018.
/// </summary>
public sealed record SentencePieceModel
{
    /// <summary>The pieces by id.</summary>
    public required IReadOnlyList<SentencePiece> Pieces { get; init; }

    /// <summary>How it cuts.</summary>
    public PieceMethod Method { get; init; } = PieceMethod.Unigram;

    /// <summary>A space is put before a text.</summary>
    public bool AddDummyPrefix { get; init; } = true;

    /// <summary>Spaces at the ends vanish, several become one.</summary>
    public bool RemoveExtraWhitespaces { get; init; } = true;

    /// <summary>Spaces are written as U+2581.</summary>
    public bool EscapeWhitespaces { get; init; } = true;

    /// <summary>The space that is added stands after a text.</summary>
    public bool WhitespaceAsSuffix { get; init; }

    /// <summary>What is no piece becomes its bytes.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>The id that begins a document; −1 for none.</summary>
    public int BosId { get; init; } = 1;

    /// <summary>The id that ends a document; −1 for none.</summary>
    public int EosId { get; init; } = 2;

    /// <summary>Whether a prompt begins with the begin of a document.</summary>
    public bool AddBos { get; init; } = true;

    /// <summary>What unknown text is decoded to.</summary>
    public string UnknownSurface { get; init; } = " \u2047 ";

    /// <summary>The compiled rules of normalization; empty where there are none.</summary>
    public ReadOnlyMemory<byte> CharsMap { get; init; }
}
