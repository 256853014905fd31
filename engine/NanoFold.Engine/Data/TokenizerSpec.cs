using System.Globalization;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Data;

/// <summary>Which tokenizer a data set has: bytes, a BPE learned from the text to train on, or one that exists.</summary>
public sealed record TokenizerSpec
{
    /// <summary>The vocabulary learned where none is named.</summary>
    public const int DefaultVocab = 2048;

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
    public static TokenizerSpec Bpe(int vocab = DefaultVocab)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocab, 258);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocab, BpeTrainer.LargestVocab);
        return new(vocab, null);
    }

    /// <summary>A tokenizer that exists, for example a checkpoint's.</summary>
    public static TokenizerSpec Given(Tokenizer tokenizer) => new(0, tokenizer);

    /// <summary>Reads <c>byte</c>, <c>bpe</c>, <c>bpe:4096</c>, or the path of a <c>tokenizer.json</c> or its folder.</summary>
    /// <exception cref="InvalidDataException">It is none of these.</exception>
    public static TokenizerSpec Parse(string text)
    {
        if (text == "byte")
        {
            return Byte;
        }

        if (text == "bpe")
        {
            return Bpe();
        }

        if (text.StartsWith("bpe:", StringComparison.Ordinal))
        {
            return int.TryParse(text.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out int vocab)
                && vocab is >= 258 and <= BpeTrainer.LargestVocab
                ? Bpe(vocab)
                : throw new InvalidDataException($"tokenizer '{text}': the size must be between 258 and {BpeTrainer.LargestVocab}");
        }

        return File.Exists(text) || Directory.Exists(text)
            ? Given(Text.Tokenizer.Load(text))
            : throw new InvalidDataException($"tokenizer '{text}': use byte, bpe, bpe:SIZE or the path of a tokenizer.json");
    }
}
