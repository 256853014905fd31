using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace NanoFold.Engine.Checkpoints;

/// <summary>
/// An open safetensors file (https://github.com/huggingface/safetensors): named tensors, row-major and little-endian, after a
/// JSON header. The header is checked whole against the file's length when it is opened; tensors are read on demand, converted
/// on the way. Reads may come from several threads at once.
/// </summary>
public sealed class SafeTensorsFile : IDisposable
{
    private const int ChunkBytes = 1 << 16;

    private readonly SafeFileHandle _handle;
    private readonly Dictionary<string, SafeTensorInfo> _byName;

    private SafeTensorsFile(string path, SafeFileHandle handle, SafeTensorInfo[] tensors, Dictionary<string, string> metadata)
    {
        Path = path;
        _handle = handle;
        Tensors = tensors;
        Metadata = metadata;
        _byName = tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
    }

    public string Path { get; }

    /// <summary>The tensors, in the order of their bytes in the file.</summary>
    public IReadOnlyList<SafeTensorInfo> Tensors { get; }

    /// <summary>The strings of the header's <c>__metadata__</c>; empty where it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="UserException">The file has none of that name.</exception>
    public SafeTensorInfo this[string name] => Find(name)
        ?? throw new UserException($"{Path}: has no tensor '{name}'; it has {Tensors.Count}, such as '{Tensors.FirstOrDefault()?.Name}'");

    /// <summary>The tensor of that name, or null.</summary>
    public SafeTensorInfo? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="UserException">The file cannot be read, or is not a sound safetensors file.</exception>
    public static SafeTensorsFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            long length = RandomAccess.GetLength(handle);
            Span<byte> prefix = stackalloc byte[8];
            if (length < prefix.Length)
            {
                throw new FormatException($"it has only {length} bytes");
            }

            ReadFully(handle, 0, prefix);
            ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (headerBytes > (ulong)Math.Min(length - prefix.Length, SafeTensorsHeader.MaxBytes))
            {
                throw new FormatException($"its header claims {headerBytes} bytes, the file has {length}");
            }

            var json = new byte[headerBytes];
            ReadFully(handle, prefix.Length, json);
            long dataOffset = prefix.Length + json.Length;
            (SafeTensorInfo[] tensors, Dictionary<string, string> metadata) = SafeTensorsHeader.Parse(json, dataOffset, length - dataOffset);
            return new SafeTensorsFile(path, handle, tensors, metadata);
        }
        catch (Exception exception) when (exception is FormatException || FileFault.Is(exception))
        {
            handle?.Dispose();
            throw exception is FormatException
                ? new UserException($"{path}: is not a sound safetensors file: {exception.Message}", exception)
                : FileFault.Describe("cannot read", path, exception);
        }
    }

    /// <summary>Reads a tensor of floating-point type (F64, F32, F16, BF16), rounded to float32 where it is wider.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">As many elements as the tensor has.</param>
    public void Read(string name, Span<float> destination) => ReadPart(name, 0, destination, whole: true);

    /// <summary>Reads a tensor of floating-point type (F64, F32, F16, BF16) without loss.</summary>
    /// <inheritdoc cref="Read(string, Span{float})"/>
    public void Read(string name, Span<double> destination) => ReadPart(name, 0, destination, whole: true);

    /// <summary>Reads a tensor of integer type (I64, I32, I16, I8, U8, BOOL).</summary>
    /// <inheritdoc cref="Read(string, Span{float})"/>
    public void Read(string name, Span<long> destination) => ReadPart(name, 0, destination, whole: true);

    /// <summary>Reads a tensor of integer type that fits 32 bits (I32, I16, I8, U8, BOOL; I64 where every value fits).</summary>
    /// <inheritdoc cref="Read(string, Span{float})"/>
    public void Read(string name, Span<int> destination) => ReadPart(name, 0, destination, whole: true);

    /// <summary>Reads the elements from <paramref name="start"/> on, for tensors too large for one span.</summary>
    public void ReadPart(string name, long start, Span<float> destination) => ReadPart(name, start, destination, whole: false);

    /// <inheritdoc cref="ReadPart(string, long, Span{float})"/>
    public void ReadPart(string name, long start, Span<double> destination) => ReadPart(name, start, destination, whole: false);

    /// <inheritdoc cref="ReadPart(string, long, Span{float})"/>
    public void ReadPart(string name, long start, Span<int> destination) => ReadPart(name, start, destination, whole: false);

    public void Dispose() => _handle.Dispose();

    private void ReadPart<T>(string name, long start, Span<T> destination, bool whole)
        where T : unmanaged, INumber<T>
    {
        SafeTensorInfo tensor = this[name];
        if (whole ? destination.Length != tensor.Count : start < 0 || destination.Length > tensor.Count - start)
        {
            throw new UserException($"{Path}: tensor {tensor} has {tensor.Count} elements; elements {start} to {start + destination.Length} were asked for");
        }

        bool real = tensor.Type <= SafeTensorType.BF16;
        if (real != (typeof(T) == typeof(float) || typeof(T) == typeof(double)))
        {
            throw new UserException($"{Path}: tensor {tensor} is not of {(real ? "an integer" : "a floating-point")} type");
        }

        try
        {
            ReadConverted(tensor, tensor.Offset + (start * tensor.Type.Size()), destination);
        }
        catch (OverflowException exception)
        {
            throw new UserException($"{Path}: tensor {tensor} holds a value that does not fit 32 bits", exception);
        }
        catch (Exception exception) when (exception is FormatException || FileFault.Is(exception))
        {
            throw FileFault.Describe("cannot read", Path, exception);
        }
    }

    private void ReadConverted<T>(SafeTensorInfo tensor, long offset, Span<T> destination)
        where T : unmanaged, INumber<T>
    {
        int size = tensor.Type.Size();
        if (SafeTensorConversion.IsStoredAs<T>(tensor.Type))
        {
            // A span of bytes counts in 32 bits: a large tensor goes in pieces.
            for (Span<T> left = destination; left.Length > 0;)
            {
                Span<T> piece = left[..Math.Min(left.Length, 1 << 24)];
                ReadFully(_handle, offset, MemoryMarshal.AsBytes(piece));
                offset += (long)piece.Length * size;
                left = left[piece.Length..];
            }

            return;
        }

        Span<byte> chunk = new byte[(int)Math.Min(ChunkBytes, (long)destination.Length * size)];
        for (Span<T> left = destination; left.Length > 0;)
        {
            Span<T> piece = left[..Math.Min(left.Length, chunk.Length / size)];
            Span<byte> bytes = chunk[..(piece.Length * size)];
            ReadFully(_handle, offset, bytes);
            SafeTensorConversion.Convert(tensor.Type, bytes, piece);
            offset += bytes.Length;
            left = left[piece.Length..];
        }
    }

    private static void ReadFully(SafeFileHandle handle, long offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int count = RandomAccess.Read(handle, destination, offset);
            if (count == 0)
            {
                throw new FormatException("it ended early");
            }

            offset += count;
            destination = destination[count..];
        }
    }
}
