namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>
/// The head of a model of llama2.c (https://github.com/karpathy/llama2.c): seven numbers of 32 bits. The first form has nothing else, a negative vocabulary where the head is a
/// matrix of its own, and tables of positions among the weights; the second begins with a magic number and has a byte for the head.
/// </summary>
/// <param name="Version">0 or 1.</param>
/// <param name="Width">Of the stream.</param>
/// <param name="Hidden">Of the feed-forward.</param>
/// <param name="Layers">How many.</param>
/// <param name="Heads">Of queries.</param>
/// <param name="KvHeads">Of keys and values.</param>
/// <param name="Vocab">How many tokens.</param>
/// <param name="Context">Tokens of a text.</param>
/// <param name="Tied">Whether the head is the embedding.</param>
internal sealed record Llama2CHeader(int Version, int Width, int Hidden, int Layers, int Heads, int KvHeads, int Vocab, int Context, bool Tied)
{
    /// <summary>The number that the second form begins with: "ak42".</summary>
    public const int Magic = 0x616B3432;

    private const int Fields = 7, HeadBytes = 256;
    private const int MostLayers = 4096, MostWidth = 1 << 20, MostVocab = 1 << 24, MostContext = 1 << 24;

    /// <summary>Where the weights begin.</summary>
    public int Start => Version == 0 ? Fields * sizeof(int) : HeadBytes;

    /// <summary>Numbers of a head of queries.</summary>
    public int HeadDim => Width / Heads;

    /// <summary>How long a file of these sizes is.</summary>
    public long FileBytes
    {
        get
        {
            long keys = (long)KvHeads * HeadDim, layer = (2L * Width) + (2L * Width * Width) + (2 * keys * Width) + (3L * Width * Hidden);
            long tables = Version == 0 ? (long)Context * (HeadDim / 2) * 2 : 0;
            return Start + (sizeof(float) * ((Layers * layer) + Width + tables + ((Tied ? 1L : 2L) * Vocab * Width)));
        }
    }

    /// <summary>Whether a file can be one: it has the magic number, or its sizes make its length, or at least a model where it is called <c>.bin</c>.</summary>
    public static bool Fits(BinaryHead head, string path) => head.Numbers is [Magic, ..]
        || (First(head) is { } first && (first.FileBytes == head.Length || Path.GetExtension(path).Equals(".bin", StringComparison.OrdinalIgnoreCase)));

    /// <summary>The head of a file.</summary>
    /// <exception cref="UserException">Its sizes make no model, or not one of its length.</exception>
    public static Llama2CHeader Read(BinaryHead head, string path)
    {
        if (head.Numbers is [Magic, not 1, ..])
        {
            throw new UserException($"{path}: is a llama2.c file of version {head.Numbers[1]}{(head.Numbers[1] == 2 ? " (8 bits)" : "")}, which is not supported; export version 0 or 1, of 32 bits");
        }

        Llama2CHeader header = (head.Numbers is [Magic, ..] ? Second(head) : First(head)) ?? throw new UserException($"{path}: is not a sound llama2.c file: its sizes make no model");
        return header.FileBytes == head.Length ? header
            : throw new UserException($"{path}: is not a sound llama2.c file: it has {head.Length} bytes where its sizes make {header.FileBytes}");
    }

    private static Llama2CHeader? First(BinaryHead head) => head.Numbers.Length > Fields ? Of(0, head.Numbers.AsSpan(0, Fields), head.Numbers[5] > 0) : null;

    // After the magic number, the version and the sizes stands a byte for the head.
    private static Llama2CHeader? Second(BinaryHead head) => head.Numbers.Length >= HeadBytes / sizeof(int) ? Of(1, head.Numbers.AsSpan(2, Fields), (head.Numbers[2 + Fields] & 0xFF) != 0) : null;

    private static Llama2CHeader? Of(int version, ReadOnlySpan<int> sizes, bool tied)
    {
        int vocab = version == 0 && sizes[5] != int.MinValue ? Math.Abs(sizes[5]) : sizes[5];
        var header = new Llama2CHeader(version, sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], vocab, sizes[6], tied);
        return header is { Width: > 0 and <= MostWidth, Hidden: > 0 and <= MostWidth, Layers: > 0 and <= MostLayers, Vocab: > 0 and <= MostVocab, Context: > 0 and <= MostContext, Heads: > 0, KvHeads: > 0 }
            && header.Width % header.Heads == 0 && header.HeadDim % 2 == 0 && header.Heads % header.KvHeads == 0 ? header : null;
    }
}
