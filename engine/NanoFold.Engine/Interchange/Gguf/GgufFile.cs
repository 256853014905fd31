using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Interchange.Gguf.Blocks;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>
/// An open GGUF file, version 2 or 3 (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata, then records of tensors, then their data, all little-endian. The head is
/// checked whole against the file's length when it is opened; tensors are read on demand, and dequantized. Reads may come from several threads at once.
/// </summary>
internal sealed class GgufFile : ITensorFiles
{
    /// <summary>The first four bytes.</summary>
    public static ReadOnlySpan<byte> Magic => "GGUF"u8;

    // The one before differs in nothing that is read here.
    private const uint Version = 3, OlderVersion = 2;
    private const string AlignmentKey = "general.alignment";
    private const int UsualAlignment = 32, MostAlignment = 1 << 20, MostDimensions = 4, MostNameBytes = 64;

    // The least that a record takes: of metadata a key of one byte, its type and a value of one byte; of a tensor a name of one byte, one extent, type and offset.
    private const int LeastEntryBytes = 14, LeastTensorBytes = 33;

    private readonly SafeFileHandle _handle;
    private readonly Dictionary<string, (TensorEntry Entry, BlockType Type, long Offset)> _byName = new(StringComparer.Ordinal);

    private GgufFile(string path, SafeFileHandle handle)
    {
        (Path, _handle) = (path, handle);
        long length = RandomAccess.GetLength(handle);
        var reader = new GgufReader(handle, length);
        CheckMagic(reader);
        int tensors = reader.Count("tensors", LeastTensorBytes), entries = reader.Count("entries of metadata", LeastEntryBytes);
        Dictionary<string, GgufValue> values = new(StringComparer.Ordinal);
        for (int i = 0; i < entries; i++)
        {
            string key = reader.Name($"key {i} of {entries}");
            if (!values.TryAdd(key, reader.Value(key)))
            {
                throw new FormatException($"its metadata has '{key}' twice");
            }
        }

        Metadata = new GgufMetadata(path, values);
        (string Name, long[] Shape, BlockType Type, ulong Offset)[] records = [.. Enumerable.Range(0, tensors).Select(i => ReadRecord(reader, i, tensors))];
        Place(records, reader.Position, length, Alignment(values));
    }

    /// <summary>Its path.</summary>
    public string Path { get; }

    /// <summary>What it says about the model.</summary>
    public GgufMetadata Metadata { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Paths => [Path];

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors => [.. _byName.Values.Select(tensor => tensor.Entry)];

    /// <summary>Opens a file and checks its head.</summary>
    /// <exception cref="UserException">The file cannot be read, or is not a sound GGUF file of these versions.</exception>
    public static GgufFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            return new GgufFile(path, handle);
        }
        catch (FormatException e)
        {
            handle?.Dispose();
            throw new UserException($"{path}: is not a sound GGUF file: {e.Message}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            handle?.Dispose();
            throw FileFault.Describe("cannot read", path, e);
        }
        catch
        {
            handle?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => _byName.TryGetValue(name, out (TensorEntry Entry, BlockType, long) found) ? found.Entry : null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination)
    {
        (_, BlockType type, long offset) = _byName[name];
        try
        {
            BlockRows.Read(_handle, type, offset, start, destination);
        }
        catch (FormatException e)
        {
            throw new UserException($"{Path}: '{name}': {e.Message}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", Path, e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static void CheckMagic(GgufReader reader)
    {
        Span<byte> magic = stackalloc byte[Magic.Length];
        reader.Read(magic, "its first four bytes");
        if (!magic.SequenceEqual(Magic))
        {
            throw new FormatException(magic.SequenceEqual("FUGG"u8) ? "its bytes are in big-endian order, which is not supported" : "it does not begin with GGUF");
        }

        uint version = reader.UInt32("its version");
        if (version is not (Version or OlderVersion))
        {
            throw new FormatException(version << 8 == 0 && version != 0
                ? "its numbers are in big-endian order, which is not supported"
                : $"it is of version {version}; versions {OlderVersion} and {Version} are supported, which newer tools write");
        }
    }

    private static int Alignment(Dictionary<string, GgufValue> values)
    {
        if (!values.TryGetValue(AlignmentKey, out GgufValue? value))
        {
            return UsualAlignment;
        }

        return value is { Kind: GgufKind.UInt32, Integer: > 0 and <= MostAlignment and long alignment } && (alignment & (alignment - 1)) == 0
            ? (int)alignment
            : throw new FormatException($"{AlignmentKey} is {value}; expected a power of two, as a number of 32 bits");
    }

    private static (string Name, long[] Shape, BlockType Type, ulong Offset) ReadRecord(GgufReader reader, int index, int count)
    {
        string name = reader.Name($"the name of tensor {index} of {count}");
        if (System.Text.Encoding.UTF8.GetByteCount(name) >= MostNameBytes)
        {
            throw new FormatException($"the name of tensor {index} of {count} is longer than {MostNameBytes - 1} bytes");
        }

        uint dimensions = reader.UInt32($"tensor '{name}'");
        if (dimensions is < 1 or > MostDimensions)
        {
            throw new FormatException($"tensor '{name}' has {dimensions} dimensions; expected 1 to {MostDimensions}");
        }

        long[] shape = new long[dimensions];
        ulong elements = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            // The file has the fastest extent first.
            ulong extent = reader.UInt64($"tensor '{name}'");
            if (extent == 0 || extent > long.MaxValue / elements)
            {
                throw new FormatException($"tensor '{name}' has an extent of {extent}, which makes no tensor");
            }

            shape[i] = (long)extent;
            elements *= extent;
        }

        uint id = reader.UInt32($"tensor '{name}'");
        BlockType type = BlockType.Of(id) ?? throw new FormatException($"tensor '{name}' is of type {id}, which is not known");
        if (shape[^1] % type.Values != 0)
        {
            throw new FormatException($"tensor '{name}' has rows of {shape[^1]}, no multiple of the {type.Values} values of a block of {type.Name}");
        }

        return (name, shape, type, reader.UInt64($"tensor '{name}'"));
    }

    // Data may leave holes, but no tensor lies outside of the file or on another.
    private void Place((string Name, long[] Shape, BlockType Type, ulong Offset)[] records, long headBytes, long length, int alignment)
    {
        long data = (headBytes + alignment - 1) / alignment * alignment, available = Math.Max(0, length - data), free = 0;
        foreach ((string name, long[] shape, BlockType type, ulong offset) in records.OrderBy(record => record.Offset))
        {
            long blocks = shape.Aggregate(1L, (product, extent) => product * extent) / type.Values;
            if (offset > (ulong)available || blocks > (available - (long)offset) / type.Bytes)
            {
                throw new FormatException($"tensor '{name}' of {blocks} × {type.Bytes} bytes from {offset} on lies outside of its {available} bytes of data: the file is cut short or damaged");
            }

            if (offset % (ulong)alignment != 0)
            {
                throw new FormatException($"tensor '{name}' begins at {offset}, no multiple of {alignment}");
            }

            if ((long)offset < free)
            {
                throw new FormatException($"tensor '{name}' begins at {offset}, where another one ends at {free}");
            }

            free = (long)offset + (blocks * type.Bytes);
            var entry = new TensorEntry(Path, name, shape, type.Name, type.Decode is not null)
            {
                Place = type.Held is { } held ? new WeightPlace(Path, data + (long)offset, held) : null,
            };
            if (!_byName.TryAdd(name, (entry, type, data + (long)offset)))
            {
                throw new FormatException($"it has tensor '{name}' twice");
            }
        }
    }
}
