using System.Globalization;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Data;

/// <summary>Which tokenizer a data set has: bytes, a BPE learned from the text to train on, or one that exists.</summary>
public sealed record TokenizerSpec
{
    // Part of what a cached data set is known by: a trainer that learns otherwise needs another number.
    private const string TrainerVersion = "1";

    private TokenizerSpec(int bpeVocab, Tokenizer? given)
    {
        BpeVocab = bpeVocab;
        Tokenizer = given;
    }

    /// <summary>A token per byte.</summary>
    public static TokenizerSpec Byte { get; } = new(0, null);

    /// <summary>The size of the BPE to learn; 0 where none is learned.</summary>
    public int BpeVocab { get; }

    /// <summary>The tokenizer that is given, if one is.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>What decides the tokenizer, together with the text.</summary>
    public string Key =>
        Tokenizer is not null ? $"given {Tokenizer.Fingerprint}"
        : BpeVocab > 0 ? string.Create(CultureInfo.InvariantCulture, $"bpe {BpeVocab} trainer {TrainerVersion}")
        : "byte";

    /// <summary>A byte-level BPE of <paramref name="vocab"/> symbols, learned from the text to train on.</summary>
    public static TokenizerSpec Bpe(int vocab)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocab, 258);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocab, BpeTrainer.LargestVocab);
        return new(vocab, null);
    }

    /// <summary>A tokenizer that exists, for example a checkpoint's.</summary>
    public static TokenizerSpec Given(Tokenizer tokenizer) => new(0, tokenizer);

    /// <summary>What the section <c>tokenizer</c> says; a file that it names is read.</summary>
    /// <exception cref="UserException">The file is missing, damaged, or of a kind that is not supported.</exception>
    public static TokenizerSpec Of(TokenizerConfig config) => config switch
    {
        ByteTokenizerConfig => Byte,
        BpeTokenizerConfig bpe => Bpe(bpe.Vocab),
        FileTokenizerConfig { Path: { } path } => Given(Text.Tokenizer.Load(path)),
        NoTokenizerConfig => throw new UserException("tokenizer: the model came without one; import it again with --tokenizer FILE"),
        _ => throw new UserException($"tokenizer of kind '{config.Kind}' names no file"),
    };
}
