namespace NanoFold.Engine.Text;

/// <summary>One merge: the tokens <paramref name="Left"/> and <paramref name="Right"/> side by side become <paramref name="Merged"/>.</summary>
internal readonly record struct BpeMerge(int Left, int Right, int Merged);

/// <summary>What a byte-level BPE tokenizer is made of, as it stands in a file. Its maker checks it.</summary>
/// <param name="Tokens">The bytes of each id; empty for specials.</param>
/// <param name="Merges">In order of rank.</param>
/// <param name="Specials">Tokens that stand for no text.</param>
/// <param name="IgnoreMerges">A piece that is a token as a whole is taken as that token, whatever the merges say.</param>
internal sealed record BpeModel(byte[][] Tokens, BpeMerge[] Merges, SpecialToken[] Specials, bool IgnoreMerges)
{
    private static readonly string[] s_bosNames = [BpeTokenizer.BosName, "<s>", "<|begin_of_text|>", "<|startoftext|>"];
    private static readonly string[] s_eosNames = [BpeTokenizer.EosName, "</s>", "<|end_of_text|>"];

    /// <summary>GPT-2's only special, which both begins and ends a document.</summary>
    private const string EndOfText = "<|endoftext|>";

    /// <summary>The id that begins a document, known by its name.</summary>
    public int? Bos => Find(s_bosNames) ?? Find([EndOfText]);

    /// <summary>The id that ends a document, known by its name.</summary>
    public int? Eos => Find(s_eosNames) ?? Find([EndOfText]);

    /// <summary>True where the ids are just the 256 bytes, with or without the two document marks.</summary>
    public bool IsBytes =>
        Merges.Length == 0
        && Tokens.Length == 256 + Specials.Length
        && Enumerable.Range(0, 256).All(value => Tokens[value].Length == 1 && Tokens[value][0] == value)
        && (Specials.Length == 0 || Specials.SequenceEqual(MarksAt(256)));

    /// <summary>The model of a <see cref="ByteTokenizer"/>.</summary>
    public static BpeModel OfBytes(bool documentMarks)
    {
        SpecialToken[] specials = documentMarks ? MarksAt(256) : [];
        byte[][] bytes = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value }), .. specials.Select(_ => Array.Empty<byte>())];
        return new BpeModel(bytes, [], specials, IgnoreMerges: false);
    }

    /// <summary>The marks for begin and end of a document, with ids from <paramref name="first"/>.</summary>
    public static SpecialToken[] MarksAt(int first) => [new(first, BpeTokenizer.BosName), new(first + 1, BpeTokenizer.EosName)];

    private int? Find(string[] names) => Specials.FirstOrDefault(special => names.Contains(special.Name))?.Id;
}
