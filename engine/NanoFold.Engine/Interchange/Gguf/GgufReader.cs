using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NanoFold.Engine.Interchange.Gguf;

/// <summary>The head of a GGUF file, read from front to back. Whatever a count in it claims, no more is taken into memory than the file has.</summary>
/// <param name="handle">Open for reading.</param>
/// <param name="length">Bytes of the file.</param>
internal sealed class GgufReader(SafeFileHandle handle, long length)
{
    private const int MostStringBytes = 1 << 28;

    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    private readonly byte[] _buffer = new byte[(int)Math.Min(length, 1 << 16)];
    private int _at;
    private int _filled;

    /// <summary>Bytes that were read.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes that are left.</summary>
    public long Left => length - Position;

    public uint UInt32(string what)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        Read(bytes, what);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    public ulong UInt64(string what)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        Read(bytes, what);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>A count of things of which each takes at least so many bytes of the file.</summary>
    /// <exception cref="FormatException">The file is too short for them.</exception>
    public int Count(string what, int bytesEach)
    {
        ulong count = UInt64($"the number of {what}");
        return count <= (ulong)Math.Min(Left / bytesEach, int.MaxValue) ? (int)count : throw new FormatException($"it claims {count} {what}, and has {Left} bytes left");
    }

    /// <summary>A name: not empty, and UTF-8.</summary>
    public string Name(string what)
    {
        byte[] bytes = Bytes(what);
        try
        {
            return bytes.Length > 0 ? s_strict.GetString(bytes) : throw new FormatException($"{what} is empty");
        }
        catch (ArgumentException)
        {
            throw new FormatException($"{what} is not UTF-8");
        }
    }

    /// <summary>The bytes of a string, its length before them.</summary>
    public byte[] Bytes(string what)
    {
        byte[] bytes = new byte[StringLength(what)];
        Read(bytes, what);
        return bytes;
    }

    /// <summary>A value of metadata.</summary>
    /// <param name="key">Its key, for messages.</param>
    public GgufValue Value(string key)
    {
        uint kind = UInt32($"the type of '{key}'");
        return kind switch
        {
            (uint)GgufKind.String => new GgufValue(GgufKind.String, Bytes($"'{key}'")),
            (uint)GgufKind.Array => List(key),
            _ => new GgufValue((GgufKind)kind, Numbers(key, kind, 1)),
        };
    }

    /// <exception cref="FormatException">The file ends before.</exception>
    public void Read(Span<byte> destination, string what)
    {
        if (destination.Length > Left)
        {
            throw new FormatException($"it ends within {what}");
        }

        for (Span<byte> rest = destination; rest.Length > 0;)
        {
            if (_at == _filled)
            {
                _at = 0;
                _filled = RandomAccess.Read(handle, _buffer, Position + destination.Length - rest.Length);
                if (_filled == 0)
                {
                    throw new FormatException($"it became shorter while {what} was read");
                }
            }

            int count = Math.Min(rest.Length, _filled - _at);
            _buffer.AsSpan(_at, count).CopyTo(rest);
            _at += count;
            rest = rest[count..];
        }

        Position += destination.Length;
    }

    private int StringLength(string what)
    {
        ulong count = UInt64($"the length of {what}");
        return count <= (ulong)Math.Min(Left, MostStringBytes) ? (int)count : throw new FormatException($"{what} claims {count} bytes, and the file has {Left} left");
    }

    private byte[] Numbers(string key, uint kind, int count)
    {
        byte[] bytes = new byte[checked(count * SizeOf(key, kind))];
        Read(bytes, $"'{key}'");
        return kind == (uint)GgufKind.Bool && bytes.AsSpan().ContainsAnyExcept((byte)0, (byte)1)
            ? throw new FormatException($"'{key}' is a truth value that is neither 0 nor 1")
            : bytes;
    }

    private GgufValue List(string key)
    {
        uint kind = UInt32($"the element type of '{key}'");
        if (kind == (uint)GgufKind.Array)
        {
            throw new FormatException($"'{key}' is a list of lists, which is not supported");
        }

        if (kind != (uint)GgufKind.String)
        {
            int size = SizeOf(key, kind), elements = Count($"elements of '{key}'", size);
            return elements <= int.MaxValue / size
                ? new GgufValue(GgufKind.Array, Numbers(key, kind, elements)) { Element = (GgufKind)kind, Count = elements }
                : throw new FormatException($"'{key}' has {elements} elements, which are too many");
        }

        return Strings(key, Count($"strings of '{key}'", sizeof(ulong)));
    }

    // There are a hundred thousand of them in some files: what each is called is put together only for a fault.
    private GgufValue Strings(string key, int count)
    {
        int[] ends = new int[count];
        var all = new ArrayBufferWriter<byte>(1 << 16);
        for (int i = 0; i < count; i++)
        {
            int length = Left >= sizeof(ulong) && UInt64(key) is var bytes && bytes <= (ulong)Math.Min(Left, MostStringBytes) ? (int)bytes
                : throw new FormatException($"string {i} of '{key}' is longer than the {Math.Min(Left, MostStringBytes)} bytes that it can have");
            if (all.WrittenCount > MostStringBytes - length)
            {
                throw new FormatException($"'{key}' has more than {MostStringBytes} bytes of text");
            }

            Read(all.GetSpan(length)[..length], key);
            all.Advance(length);
            ends[i] = all.WrittenCount;
        }

        return new GgufValue(GgufKind.Array, all.WrittenSpan.ToArray()) { Element = GgufKind.String, Count = count, Ends = ends };
    }

    private static int SizeOf(string key, uint kind) => kind switch
    {
        (uint)GgufKind.UInt8 or (uint)GgufKind.Int8 or (uint)GgufKind.Bool => 1,
        (uint)GgufKind.UInt16 or (uint)GgufKind.Int16 => 2,
        (uint)GgufKind.UInt32 or (uint)GgufKind.Int32 or (uint)GgufKind.Float32 => 4,
        (uint)GgufKind.UInt64 or (uint)GgufKind.Int64 or (uint)GgufKind.Float64 => 8,
        _ => throw new FormatException($"'{key}' is of type {kind}, which there is none"),
    };
}
