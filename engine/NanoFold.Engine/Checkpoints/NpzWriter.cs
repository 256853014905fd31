using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// Writes arrays by name as numpy's <c>.npz</c>: a zip archive, not compressed, of an <c>.npy</c> for each (NEP 1, version 1.0): little-endian, row-major. Names may have
/// slashes. The same content gives the same bytes.
/// </summary>
public sealed class NpzWriter : IDisposable
{
    private const int HeaderAlignment = 64;

    private static readonly DateTimeOffset s_noTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ZipArchive _zip;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    /// <param name="stream">Where it is written; closed with this.</param>
    public NpzWriter(Stream stream) => _zip = new ZipArchive(stream, ZipArchiveMode.Create);

    /// <summary>Adds an array of float, double or int.</summary>
    /// <exception cref="ArgumentException">The name is taken, or the values are not of the shape.</exception>
    public void Add<T>(string name, ReadOnlySpan<int> shape, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        string type = typeof(T) == typeof(float) ? "<f4" : typeof(T) == typeof(double) ? "<f8" : typeof(T) == typeof(int) ? "<i4"
            : throw new ArgumentException($"npz: {name}: arrays of {typeof(T).Name} are not written", nameof(values));
        using Stream entry = Begin(name, type, shape, values.Length);
        Write(entry, values);
    }

    /// <summary>Adds an array of float, double or int, whichever it is.</summary>
    public void Add(string name, ReadOnlySpan<int> shape, Array values)
    {
        switch (values)
        {
            case float[] floats:
                Add<float>(name, shape, floats);
                break;
            case double[] doubles:
                Add<double>(name, shape, doubles);
                break;
            default:
                Add<int>(name, shape, (int[])values);
                break;
        }
    }

    /// <summary>Adds texts, as long as the longest of them.</summary>
    public void Add(string name, IReadOnlyList<string> texts)
    {
        int[][] runes = [.. texts.Select(text => text.EnumerateRunes().Select(rune => rune.Value).ToArray())];
        int width = Math.Max(1, runes.Select(text => text.Length).DefaultIfEmpty().Max());
        var padded = new int[texts.Count * width];
        for (int i = 0; i < runes.Length; i++)
        {
            runes[i].CopyTo(padded, i * width);
        }

        using Stream entry = Begin(name, string.Create(CultureInfo.InvariantCulture, $"<U{width}"), [texts.Count], texts.Count);
        Write<int>(entry, padded);
    }

    /// <inheritdoc/>
    public void Dispose() => _zip.Dispose();

    private Stream Begin(string name, string type, ReadOnlySpan<int> shape, long count)
    {
        long expected = 1;
        foreach (int length in shape)
        {
            expected *= length;
        }

        if (expected != count || !_names.Add(name))
        {
            throw new ArgumentException(expected != count ? $"npz: {name}: {count} values are not of shape [{string.Join(", ", shape.ToArray())}]" : $"npz: the name '{name}' is taken");
        }

        ZipArchiveEntry entry = _zip.CreateEntry(name + ".npy", CompressionLevel.NoCompression);
        entry.LastWriteTime = s_noTime;
        Stream stream = entry.Open();
        stream.Write(Header(type, shape));
        return stream;
    }

    private static byte[] Header(string type, ReadOnlySpan<int> shape)
    {
        string dimensions = string.Concat(shape.ToArray().Select(length => string.Create(CultureInfo.InvariantCulture, $"{length}, ")));
        dimensions = shape.Length == 1 ? dimensions.TrimEnd() : dimensions.TrimEnd(' ', ',');
        string text = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({dimensions}), }}";
        int before = NpyHeader.Prefix, whole = (before + text.Length + HeaderAlignment) / HeaderAlignment * HeaderAlignment;
        byte[] header = new byte[whole];
        NpyHeader.Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)(whole - before));
        Encoding.ASCII.GetBytes(text.PadRight(whole - before - 1) + "\n").CopyTo(header, before);
        return header;
    }

    private static void Write<T>(Stream stream, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        const int Piece = 1 << 16;
        for (; values.Length > 0; values = values[Math.Min(Piece, values.Length)..])
        {
            stream.Write(MemoryMarshal.AsBytes(values[..Math.Min(Piece, values.Length)]));
        }
    }
}
