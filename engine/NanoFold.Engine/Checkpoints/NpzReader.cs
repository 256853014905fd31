using System.Buffers.Binary;
using System.Globalization;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;

namespace NanoFold.Engine.Checkpoints;

/// <summary>Reads what <see cref="NpzWriter"/> wrote; the arrays of numbers of an <c>.npz</c> of numpy's that was not compressed otherwise than by zip.</summary>
public sealed class NpzReader : IDisposable
{
    private readonly string _path;
    private readonly ZipArchive _zip;

    private NpzReader(string path, ZipArchive zip) => (_path, _zip) = (path, zip);

    /// <summary>The names of the arrays, in order.</summary>
    public IEnumerable<string> Names => _zip.Entries.Select(entry => entry.FullName.EndsWith(".npy", StringComparison.Ordinal) ? entry.FullName[..^4] : entry.FullName);

    /// <summary>Opens a file.</summary>
    /// <exception cref="UserException">It cannot be read, or is no such file.</exception>
    public static NpzReader Open(string path)
    {
        try
        {
            return new NpzReader(path, ZipFile.OpenRead(path));
        }
        catch (Exception exception) when (FileFault.Is(exception) || exception is InvalidDataException)
        {
            throw FileFault.Describe("cannot read", path, exception);
        }
    }

    /// <summary>An array of float, double or int as doubles, with its shape; null where there is none of that name.</summary>
    /// <exception cref="UserException">It is damaged, or of another type.</exception>
    public (int[] Shape, double[] Values)? Read(string name)
    {
        if (_zip.GetEntry(name + ".npy") is not { } entry)
        {
            return null;
        }

        try
        {
            using Stream stream = entry.Open();
            (string type, int[] shape) = NpyHeader.Read(stream);
            long count = shape.Aggregate(1L, (product, length) => checked(product * length));
            int size = type switch { "<f4" or "<i4" => 4, "<f8" => 8, _ => throw new InvalidDataException($"arrays of {type} are not read") };
            if (count * size > entry.Length)
            {
                throw new InvalidDataException("is cut off");
            }

            byte[] bytes = new byte[count * size];
            stream.ReadExactly(bytes);
            return (shape, type switch
            {
                "<f4" => [.. MemoryMarshal.Cast<byte, float>(bytes).ToArray().Select(value => (double)value)],
                "<i4" => [.. MemoryMarshal.Cast<byte, int>(bytes).ToArray().Select(value => (double)value)],
                _ => MemoryMarshal.Cast<byte, double>(bytes).ToArray(),
            });
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or OverflowException)
        {
            throw new UserException($"{_path}: {name}: is damaged or not of a kind that is read: {exception.Message}", exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _zip.Dispose();
}

/// <summary>The beginning of an <c>.npy</c>.</summary>
internal static class NpyHeader
{
    /// <summary>Bytes before the text of the header.</summary>
    public const int Prefix = 10;

    /// <summary>Its first bytes, version 1.0.</summary>
    public static ReadOnlySpan<byte> Magic => [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y', 1, 0];

    /// <summary>The type and shape of an array that is not in Fortran's order.</summary>
    public static (string Type, int[] Shape) Read(Stream stream)
    {
        Span<byte> prefix = stackalloc byte[Prefix];
        stream.ReadExactly(prefix);
        if (!prefix[..8].SequenceEqual(Magic))
        {
            throw new InvalidDataException("is no .npy of version 1.0");
        }

        byte[] text = new byte[BinaryPrimitives.ReadUInt16LittleEndian(prefix[8..])];
        stream.ReadExactly(text);
        string header = Encoding.ASCII.GetString(text);
        if (!header.Contains("'fortran_order': False", StringComparison.Ordinal))
        {
            throw new InvalidDataException("is in Fortran's order");
        }

        string shape = Between(header, "'shape': (", ")");
        return (Between(header, "'descr': '", "'"), [.. shape.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(length => int.Parse(length, NumberStyles.None, CultureInfo.InvariantCulture))]);
    }

    private static string Between(string text, string start, string end)
    {
        int from = text.IndexOf(start, StringComparison.Ordinal) + start.Length, to = from < start.Length ? -1 : text.IndexOf(end, from, StringComparison.Ordinal);
        return to < 0 ? throw new InvalidDataException("has no type and shape") : text[from..to];
    }
}
