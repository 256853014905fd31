using System.Security.Cryptography;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// Turns UTF-8 text into token ids in [0, <see cref="Vocab"/>) and back. This program's own lose nothing: decoding what was encoded gives
/// the same bytes, whatever they are; those of other programs may change a text as they do there. Tokenizers do not change once made and may be used by several threads.
/// </summary>
/// <remarks>
/// Text is data: a special token's name inside a text is encoded as its characters, and as the special token only by <see cref="EncodePrompt(ReadOnlySpan{byte}, List{int})"/>.
/// Files: <see cref="Save"/> and <see cref="Load"/> use Hugging Face's <c>tokenizer.json</c>. A file that is missing,
/// damaged or of an unsupported kind is an <see cref="UserException"/> with one line that says what is wrong.
/// </remarks>
public abstract class Tokenizer
{
    /// <summary>The file's name inside a folder.</summary>
    public const string FileName = "tokenizer.json";

    private readonly Lazy<string> _fingerprint;
    private readonly Lazy<int[]> _byteLengths;
    private readonly Lazy<AddedTokens?> _named;

    /// <summary>Sets what every tokenizer has.</summary>
    protected Tokenizer(int vocab, int? bos, int? eos)
    {
        Vocab = vocab;
        Bos = bos;
        Eos = eos;
        _fingerprint = new Lazy<string>(() => Convert.ToHexStringLower(SHA256.HashData(Serialize())));
        _named = new Lazy<AddedTokens?>(() => Specials is { Count: > 0 } specials
            ? new AddedTokens([.. specials.Select(special => (new AddedToken(special.Id, special.Name) { Special = true }, Encoding.UTF8.GetBytes(special.Name)))])
            : null);
        _byteLengths = new Lazy<int[]>(() => [.. Enumerable.Range(0, Vocab).Select(id => BytesOf(id).Length)]);
    }

    /// <summary>The kind, such as <c>byte</c> or <c>bpe</c>.</summary>
    public abstract string Name { get; }

    /// <summary>How many ids there are, specials included.</summary>
    public int Vocab { get; }

    /// <summary>Tokens that stand for no text.</summary>
    public virtual IReadOnlyList<SpecialToken> Specials => [];

    /// <summary>The id that begins a document, if there is one.</summary>
    public int? Bos { get; }

    /// <summary>The id that ends a document, if there is one.</summary>
    public int? Eos { get; }

    /// <summary>The hash of everything that decides how text is encoded (SHA-256, hexadecimal).</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>Text bytes per token id, [<see cref="Vocab"/>]; 0 for specials. For bits per byte.</summary>
    public ReadOnlySpan<int> ByteLengths => _byteLengths.Value;

    /// <summary>Appends the ids of <paramref name="utf8"/> to <paramref name="ids"/>. No special tokens are added.</summary>
    public abstract void Encode(ReadOnlySpan<byte> utf8, List<int> ids);

    /// <summary>Appends the ids of a prompt, in which the name of a special token is that token.</summary>
    public virtual void EncodePrompt(ReadOnlySpan<byte> utf8, List<int> ids)
    {
        if (_named.Value is not { } named)
        {
            Encode(utf8, ids);
            return;
        }

        for (int from = 0; from < utf8.Length;)
        {
            AddedToken? token = named.Find(utf8, from, from, specials: true, out int start, out int end, out _);
            if (start > from)
            {
                Encode(utf8[from..start], ids);
            }

            if (token is not null)
            {
                ids.Add(token.Id);
            }

            from = end;
        }
    }

    /// <summary>What stands before a prompt: the begin of a document, where there is one.</summary>
    public virtual IReadOnlyList<int> PromptStart => Bos is { } bos ? [bos] : [];

    /// <summary>The ids of a prompt after <see cref="PromptStart"/>, which does not come twice where <paramref name="specials"/> by their names are special tokens and it begins with it.</summary>
    public int[] EncodePrompt(string text, bool specials)
    {
        int[] ids = specials ? EncodePrompt(text) : Encode(text);
        return specials && ids.AsSpan().StartsWith(PromptStart.ToArray()) ? ids : [.. PromptStart, .. ids];
    }

    /// <summary>The ids of a prompt, in which the name of a special token is that token.</summary>
    public int[] EncodePrompt(string text)
    {
        var ids = new List<int>();
        EncodePrompt(Encoding.UTF8.GetBytes(text), ids);
        return [.. ids];
    }

    /// <summary>
    /// The ids of a whole text as the program that the tokenizer comes from gives them: names of special tokens are these tokens, and what the file says of truncation
    /// and padding is done. Where <paramref name="around"/> is set, so is what it puts around a text.
    /// </summary>
    public virtual int[] EncodeComplete(string text, bool around) => EncodePrompt(text);

    /// <summary>
    /// Where a text may be cut with the same ids for both parts as for the whole: the last such place that is found, or 0. Long texts are read in such parts.
    /// </summary>
    internal virtual int CutBefore(ReadOnlySpan<byte> text)
    {
        for (int place = text.Length - 1; place > 0; place--)
        {
            if (PreTokenizer.MayCutAt(text, place))
            {
                return place;
            }
        }

        return 0;
    }

    /// <summary>The last place between an ASCII letter and a space, or 0.</summary>
    internal static int LastLetterBeforeSpace(ReadOnlySpan<byte> text)
    {
        for (int place = text.Length - 1; place > 0; place--)
        {
            if (text[place] == ' ' && char.IsAsciiLetter((char)text[place - 1]))
            {
                return place;
            }
        }

        return 0;
    }

    /// <summary>The bytes that a token stands for in the middle of a text; empty for specials.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in [0, <see cref="Vocab"/>).</exception>
    public abstract ReadOnlySpan<byte> BytesOf(int id);

    /// <summary>The content of <see cref="FileName"/>: UTF-8 JSON that decides everything about the tokenizer.</summary>
    public abstract byte[] Serialize();

    /// <summary>
    /// A <c>tokenizer.json</c> for other programs: the same without what they do not know. Of a SentencePiece model and of tiktoken it is the nearest that the format allows.
    /// </summary>
    public byte[] ToHuggingFace() => OwnForm.Without(Serialize());

    /// <summary>What a token looks like: its text, or a special's name. For people, not for decoding.</summary>
    public virtual string Describe(int id) => Encoding.UTF8.GetString(BytesOf(id));

    /// <summary>The text bytes that targets stand for, −1 for none: what a loss in nats is divided by for bits per byte.</summary>
    public long CountBytes(ReadOnlySpan<int> targets)
    {
        ReadOnlySpan<int> lengths = ByteLengths;
        long bytes = 0;
        foreach (int target in targets)
        {
            bytes += target < 0 ? 0 : lengths[target];
        }

        return bytes;
    }

    /// <summary>The ids of <paramref name="utf8"/>.</summary>
    public int[] Encode(ReadOnlySpan<byte> utf8)
    {
        var ids = new List<int>();
        Encode(utf8, ids);
        return [.. ids];
    }

    /// <summary>The ids of <paramref name="text"/>.</summary>
    public int[] Encode(string text) => Encode(Encoding.UTF8.GetBytes(text).AsSpan());

    /// <summary>The bytes of <paramref name="ids"/>; specials stand for none.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in [0, <see cref="Vocab"/>).</exception>
    public byte[] Decode(ReadOnlySpan<int> ids)
    {
        using var bytes = new MemoryStream(ids.Length * 4);
        foreach (int id in ids)
        {
            bytes.Write(BytesOf(id));
        }

        return bytes.ToArray();
    }

    /// <summary>The text of <paramref name="ids"/>; bytes that are not UTF-8 become U+FFFD. Specials are left out, or stand there by their <paramref name="names"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is not in [0, <see cref="Vocab"/>).</exception>
    public virtual string DecodeText(ReadOnlySpan<int> ids, bool names = false)
    {
        if (!names)
        {
            return Encoding.UTF8.GetString(Decode(ids));
        }

        var specials = Specials.ToDictionary(special => special.Id, special => Encoding.UTF8.GetBytes(special.Name));
        using var bytes = new MemoryStream(ids.Length * 4);
        foreach (int id in ids)
        {
            bytes.Write(specials.TryGetValue(id, out byte[]? name) ? name : BytesOf(id));
        }

        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    /// <summary>Writes <see cref="FileName"/> into <paramref name="folder"/>, complete or not at all.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        OutputFile.Write(Path.Combine(folder, FileName), stream => stream.Write(Serialize()));
    }

    /// <summary>
    /// Reads a tokenizer from its file or folder: <c>tokenizer.json</c>, a SentencePiece model (<c>tokenizer.model</c>), <c>vocab.json</c> with <c>merges.txt</c>, the ranks of
    /// tiktoken, llama2.c's <c>tokenizer.bin</c>. What a file is is told by what is in it.
    /// </summary>
    /// <exception cref="UserException">The file is missing, damaged, or of a kind that is not supported.</exception>
    public static Tokenizer Load(string path) => TokenizerFiles.Load(path);

    /// <summary>Whether a folder holds a tokenizer's file.</summary>
    public static bool IsIn(string folder) => File.Exists(TokenizerFiles.FileIn(folder));

    /// <summary>Reads what <see cref="Serialize"/> wrote, or any file that is a tokenizer by itself.</summary>
    /// <param name="bytes">Of the file.</param>
    /// <param name="name">For messages.</param>
    /// <exception cref="UserException">They are damaged, or of a kind that is not supported.</exception>
    public static Tokenizer Parse(byte[] bytes, string name) => TokenizerFiles.Parse(bytes, name);

    /// <summary>Throws where <paramref name="id"/> is not one of this tokenizer's.</summary>
    protected void CheckId(int id)
    {
        if ((uint)id >= (uint)Vocab)
        {
            throw new ArgumentOutOfRangeException(nameof(id), $"token id {id} is not in [0, {Vocab}) of this {Name} tokenizer");
        }
    }
}
