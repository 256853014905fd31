using System.Security.Cryptography;
using System.Text;

namespace NanoFold.Engine.Text;

/// <summary>
/// Turns UTF-8 text into token ids in [0, <see cref="Vocab"/>) and back, without loss: decoding what was encoded gives
/// the same bytes, whatever they are. Tokenizers do not change once made and may be used by several threads.
/// </summary>
/// <remarks>
/// Text is data: a special token's name inside a text is encoded as its characters, never as the special token.
/// Files: <see cref="Save"/> and <see cref="Load"/> use Hugging Face's <c>tokenizer.json</c>. A file that is missing,
/// damaged or of an unsupported kind is an <see cref="UserException"/> with one line that says what is wrong.
/// </remarks>
public abstract class Tokenizer
{
    /// <summary>The file's name inside a folder.</summary>
    public const string FileName = "tokenizer.json";

    private readonly Lazy<string> _fingerprint;
    private readonly Lazy<int[]> _byteLengths;

    /// <summary>Sets what every tokenizer has.</summary>
    protected Tokenizer(int vocab, int? bos, int? eos)
    {
        Vocab = vocab;
        Bos = bos;
        Eos = eos;
        _fingerprint = new Lazy<string>(() => Convert.ToHexStringLower(SHA256.HashData(Serialize())));
        _byteLengths = new Lazy<int[]>(() => [.. Enumerable.Range(0, Vocab).Select(id => BytesOf(id).Length)]);
    }

    /// <summary>The kind: <c>byte</c> or <c>bpe</c>.</summary>
    public abstract string Name { get; }

    /// <summary>How many ids there are, specials included.</summary>
    public int Vocab { get; }

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

    /// <summary>The bytes that a token stands for; empty for specials.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The id is not in [0, <see cref="Vocab"/>).</exception>
    public abstract ReadOnlySpan<byte> BytesOf(int id);

    /// <summary>The content of <see cref="FileName"/>: UTF-8 JSON that decides everything about the tokenizer.</summary>
    public abstract byte[] Serialize();

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

    /// <summary>The text of <paramref name="ids"/>; bytes that are not UTF-8 become U+FFFD.</summary>
    public string DecodeText(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(Decode(ids));

    /// <summary>Writes <see cref="FileName"/> into <paramref name="folder"/>, complete or not at all.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        OutputFile.Write(Path.Combine(folder, FileName), stream => stream.Write(Serialize()));
    }

    /// <summary>Reads a <c>tokenizer.json</c>, given itself or its folder.</summary>
    /// <exception cref="UserException">The file is missing, damaged, or of a kind that is not supported.</exception>
    public static Tokenizer Load(string path) =>
        TokenizerJson.Load(Directory.Exists(path) ? Path.Combine(path, FileName) : path);

    /// <summary>Reads what <see cref="Serialize"/> wrote, or any <c>tokenizer.json</c>.</summary>
    /// <param name="bytes">Of the file.</param>
    /// <param name="name">For messages.</param>
    /// <exception cref="UserException">They are damaged, or of a kind that is not supported.</exception>
    public static Tokenizer Parse(byte[] bytes, string name) => TokenizerJson.Parse(bytes, name);

    /// <summary>Throws where <paramref name="id"/> is not one of this tokenizer's.</summary>
    protected void CheckId(int id)
    {
        if ((uint)id >= (uint)Vocab)
        {
            throw new ArgumentOutOfRangeException(nameof(id), $"token id {id} is not in [0, {Vocab}) of this {Name} tokenizer");
        }
    }
}
