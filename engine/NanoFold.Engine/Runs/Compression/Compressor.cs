using NanoFold.Engine.Interchange;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// Compression of any bytes with the predictions of a model, by arithmetic coding. What is written holds all that is needed besides the model: it is not read back on a machine, or with a version of this
/// program, whose numbers are others, and says so before it begins.
/// </summary>
public static class Compressor
{
    /// <summary>Compresses with a model that is there.</summary>
    /// <param name="trained">On the backend of <see cref="OpenBackend"/>.</param>
    /// <param name="text">Any bytes.</param>
    /// <param name="options">How.</param>
    /// <param name="cancel">Looked at before every run of the model.</param>
    /// <returns>The file and what became of the text.</returns>
    /// <exception cref="UserException">The model has no text, or is not causal.</exception>
    public static (byte[] File, CompressionResult Result) Compress(TrainedModel trained, ReadOnlySpan<byte> text, CompressionOptions options, CancellationToken cancel = default)
    {
        using var target = new MemoryStream();
        _ = trained.Tokenizer;
        return text.IsEmpty ? Stored(text) : Shorter(text, target, ModelCoding.Compress(trained, text, options, target, cancel));
    }

    /// <summary>Compresses with a model that learns meanwhile.</summary>
    /// <param name="settings">Of the model.</param>
    /// <param name="text">Any bytes.</param>
    /// <param name="options">How.</param>
    /// <param name="backend">That of <see cref="OpenBackend"/>.</param>
    /// <param name="cancel">Looked at before every run of the model.</param>
    /// <exception cref="UserException">A setting is none that means something here.</exception>
    public static (byte[] File, CompressionResult Result) Compress(PrequentialSettings settings, ReadOnlySpan<byte> text, CompressionOptions options, Backend backend, CancellationToken cancel = default)
    {
        using var target = new MemoryStream();
        return text.IsEmpty ? Stored(text) : Shorter(text, target, PrequentialCoding.Compress(settings, text, options, backend, target, cancel));
    }

    /// <summary>A backend that predicts: the CPU, by its own instructions or with the same bits on any machine.</summary>
    public static Backend OpenBackend(int threads, bool isPortable) => NumericPath.Open(threads, isPortable);

    /// <summary>What instructions this machine predicts with, in words.</summary>
    public static string PathHere => NumericPath.Name(NumericPath.Code(isPortable: false));

    // What would become longer is kept as it is.
    private static (byte[], CompressionResult) Shorter(ReadOnlySpan<byte> text, MemoryStream target, CompressionResult result)
    {
        (byte[] stored, CompressionResult storing) = target.Length >= text.Length ? Stored(text) : ([], result);
        return stored.Length > 0 && stored.Length <= target.Length
            ? (stored, storing with { Seconds = result.Seconds })
            : (target.ToArray(), result with { PackedBytes = target.Length });
    }

    private static (byte[], CompressionResult) Stored(ReadOnlySpan<byte> text)
    {
        using var target = new MemoryStream();
        PackedFile.WriteStored(target, text);
        return (target.ToArray(), CompressionResult.Stored(text.Length) with { PackedBytes = target.Length });
    }
}

/// <summary>A compressed file that was found sound.</summary>
public sealed class CompressedText
{
    private readonly PackedFile _file;
    private readonly string _name;
    private readonly long _bytes;

    private CompressedText(PackedFile file, string name, long bytes) => (_file, _name, _bytes) = (file, name, bytes);

    /// <summary>Bytes of the text.</summary>
    public long SourceBytes => _file.Header.Size;

    /// <summary>Bytes of the file.</summary>
    public long PackedBytes => _bytes;

    /// <summary>How it was compressed, in words.</summary>
    public string How
    {
        get
        {
            PackedHeader header = _file.Header;
            string weights = header.Weights.TypeOf() is { } type ? $", its weights in {type}" : "";
            return header.IsStored ? "stored as it is"
                : $"{(NeedsModel ? $"with the model {header.ModelHash:x16}{weights}" : "by a model that learned while it coded")}, {NumericPath.Name(header.Path)}, {Display.Count(header.Lanes.Count, "lane")}";
        }
    }

    /// <summary>Whether a model is needed to read it.</summary>
    public bool NeedsModel => !_file.Header.IsStored && _file.Header.Settings is null;

    /// <summary>What the weights of that model are to be in memory, as <see cref="TrainedModel.Load"/> takes it.</summary>
    public WeightStorage Weights => _file.Header.Weights;

    /// <summary>Whether it was predicted with the same bits on any machine.</summary>
    public bool IsPortable => _file.Header.IsPortable;

    /// <summary>Reads a file and looks at all its check sums.</summary>
    /// <param name="bytes">Of the file.</param>
    /// <param name="name">Of the file, for messages.</param>
    /// <exception cref="UserException">It is none that compress wrote, cut off or damaged; the message says where.</exception>
    public static CompressedText Read(ReadOnlySpan<byte> bytes, string name) => new(PackedFile.Read(bytes, name), name, bytes.Length);

    /// <summary>Writes the text.</summary>
    /// <param name="trained">The model that compressed it, on <paramref name="backend"/>; null where none is needed.</param>
    /// <param name="backend">As <see cref="Compressor.OpenBackend"/> opens it for this file.</param>
    /// <param name="target">Gets the text; nothing where something is wrong.</param>
    /// <param name="options">Who is told how far it is.</param>
    /// <param name="cancel">Looked at before every run of the model.</param>
    /// <exception cref="UserException">The model is another, or its numbers are others here.</exception>
    public CompressionResult Decompress(TrainedModel? trained, Backend backend, Stream target, CompressionOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new CompressionOptions();
        PackedHeader header = _file.Header;
        if (header.IsStored)
        {
            return Copy(target);
        }

        CompressionResult result = header.Settings is not null
            ? PrequentialCoding.Decompress(_file, _name, target, options, backend, cancel)
            : ModelCoding.Decompress(trained ?? throw UserException.Usage($"{_name}: was compressed with a model; name it with --model"), _file, _name, target, options, cancel);
        return result with { PackedBytes = _bytes };
    }

    private CompressionResult Copy(Stream target)
    {
        if (_file.Blocks.Sum(block => (long)block.Coded.Length) != _file.Header.Size)
        {
            throw new UserException($"{_name}: is damaged: its blocks are not as long as its header says");
        }

        foreach (PackedBlock block in _file.Blocks)
        {
            target.Write(block.Coded);
        }

        return CompressionResult.Stored(_file.Header.Size) with { PackedBytes = _bytes };
    }
}
