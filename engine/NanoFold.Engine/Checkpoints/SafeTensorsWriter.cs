using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// Writes a safetensors file. Tensors are named first, with where their elements can be had, and fetched one after the other
/// while the file is written, so that nothing is held twice. The same content gives the same bytes: tensors go by element
/// size, the largest first so that each is aligned, then by name.
/// </summary>
public sealed class SafeTensorsWriter
{
    private const int ChunkElements = 1 << 18;

    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Gives a tensor's elements when they are written; the span need not outlive the next call.</summary>
    public delegate ReadOnlySpan<float> FloatSource();

    /// <summary>Gives a tensor's little-endian bytes when they are written; the span need not outlive the next call.</summary>
    public delegate ReadOnlySpan<byte> ByteSource();

    /// <summary>Gives a tensor's little-endian bytes from one on, as many as it likes but at least one; the span need not outlive the next call.</summary>
    public delegate ReadOnlySpan<byte> PieceSource(long start);

    /// <summary>Adds a string to the header's <c>__metadata__</c>, or replaces it.</summary>
    public void SetMetadata(string key, string value) => _metadata[key] = value;

    /// <summary>Adds a float32 tensor.</summary>
    /// <exception cref="ArgumentException">The name is taken, or an extent negative.</exception>
    public void Add(string name, ReadOnlySpan<long> shape, FloatSource source)
        => Add(name, SafeTensorType.F32, shape, stream => WriteFloats(name, stream, source()));

    /// <summary>Adds a tensor of any type by its bytes.</summary>
    /// <exception cref="ArgumentException">The name is taken, or an extent negative.</exception>
    public void Add(string name, SafeTensorType type, ReadOnlySpan<long> shape, ByteSource source)
        => Add(name, type, shape, stream => WriteBytes(name, stream, source()));

    /// <summary>Adds a tensor of any type and size by pieces of its bytes.</summary>
    /// <exception cref="ArgumentException">The name is taken, or an extent negative.</exception>
    public void Add(string name, SafeTensorType type, ReadOnlySpan<long> shape, PieceSource source)
        => Add(name, type, shape, stream => WritePieces(name, stream, source));

    /// <summary>Writes the whole file to a stream, from its current position on.</summary>
    /// <exception cref="InvalidOperationException">A source gave another number of elements than its shape has.</exception>
    public void WriteTo(Stream stream)
    {
        Entry[] ordered = [.. _entries.Values.OrderByDescending(entry => entry.Type.Size()).ThenBy(entry => entry.Name, StringComparer.Ordinal)];
        WriteHeader(stream, ordered);
        foreach (Entry entry in ordered)
        {
            entry.Write(stream);
        }
    }

    /// <summary>Writes the file and flushes it to the disk.</summary>
    /// <exception cref="UserException">The file cannot be written, or the disk is full.</exception>
    public void Save(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None);
            WriteTo(stream);
            stream.Flush(flushToDisk: true);
        }
        catch (Exception exception) when (FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot write", path, exception);
        }
    }

    private void Add(string name, SafeTensorType type, ReadOnlySpan<long> shape, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        long bytes = type.Size();
        foreach (long extent in shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(extent, nameof(shape));
            bytes = checked(bytes * extent);
        }

        if (name == SafeTensorsHeader.MetadataKey || !_entries.TryAdd(name, new Entry(name, type, shape.ToArray(), bytes, write)))
        {
            throw new ArgumentException($"safetensors: the name '{name}' is taken", nameof(name));
        }
    }

    private void WriteHeader(Stream stream, Entry[] ordered)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (_metadata.Count > 0)
            {
                json.WriteStartObject(SafeTensorsHeader.MetadataKey);
                foreach ((string key, string value) in _metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (Entry entry in ordered)
            {
                WriteEntry(json, entry, offset);
                offset = checked(offset + entry.Bytes);
            }

            json.WriteEndObject();
        }

        // Padded with spaces so that the data begins at a multiple of eight bytes.
        int padded = (buffer.WrittenCount + 7) / 8 * 8;
        if (padded > SafeTensorsHeader.MaxBytes)
        {
            throw new InvalidOperationException($"safetensors: the header would have {padded} bytes, the format allows {SafeTensorsHeader.MaxBytes}");
        }

        Span<byte> prefix = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(prefix, (ulong)padded);
        Span<byte> padding = stackalloc byte[padded - buffer.WrittenCount];
        padding.Fill((byte)' ');
        stream.Write(prefix);
        stream.Write(buffer.WrittenSpan);
        stream.Write(padding);
    }

    private static void WriteEntry(Utf8JsonWriter json, Entry entry, long offset)
    {
        json.WriteStartObject(entry.Name);
        json.WriteString("dtype", entry.Type.FormatName());
        json.WriteStartArray("shape");
        foreach (long extent in entry.Shape)
        {
            json.WriteNumberValue(extent);
        }

        json.WriteEndArray();
        json.WriteStartArray("data_offsets");
        json.WriteNumberValue(offset);
        json.WriteNumberValue(checked(offset + entry.Bytes));
        json.WriteEndArray();
        json.WriteEndObject();
    }

    // A span of bytes counts in 32 bits.
    private void WriteFloats(string name, Stream stream, ReadOnlySpan<float> values)
    {
        CheckBytes(name, (long)values.Length * sizeof(float));
        for (; values.Length > 0; values = values[Math.Min(values.Length, ChunkElements)..])
        {
            stream.Write(MemoryMarshal.AsBytes(values[..Math.Min(values.Length, ChunkElements)]));
        }
    }

    private void WriteBytes(string name, Stream stream, ReadOnlySpan<byte> bytes)
    {
        CheckBytes(name, bytes.Length);
        stream.Write(bytes);
    }

    private void WritePieces(string name, Stream stream, PieceSource source)
    {
        long bytes = _entries[name].Bytes;
        for (long start = 0; start < bytes;)
        {
            ReadOnlySpan<byte> piece = source(start);
            start += piece.Length;
            if (piece.IsEmpty || start > bytes)
            {
                CheckBytes(name, start);
            }

            stream.Write(piece);
        }
    }

    private void CheckBytes(string name, long bytes)
    {
        Entry entry = _entries[name];
        if (bytes != entry.Bytes)
        {
            throw new InvalidOperationException($"safetensors: tensor '{name}' [{string.Join(", ", entry.Shape)}] takes {entry.Bytes} bytes, its source gave {bytes}");
        }
    }

    private sealed record Entry(string Name, SafeTensorType Type, long[] Shape, long Bytes, Action<Stream> Write);
}
