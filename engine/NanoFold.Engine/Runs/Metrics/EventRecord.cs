using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace NanoFold.Engine.Runs.Metrics;

/// <summary>
/// One record of a TensorBoard event file, made in memory that is kept: u64 length, u32 checksum of the length, an <c>Event</c> as protocol buffers have it, u32 checksum of that. Numbers
/// are little-endian; a checksum is CRC-32C, turned right by 15 bits and increased by 0xa282ead8, as TFRecord files have it.
/// </summary>
internal sealed class EventRecord
{
    /// <summary>Bytes in front of an event.</summary>
    public const int HeaderBytes = sizeof(ulong) + sizeof(uint);

    private const uint MaskDelta = 0xa282ead8;

    private readonly ProtoBytes _event = new();
    private readonly ProtoBytes _values = new();

    /// <summary>Whether it has a number or a text.</summary>
    public bool HasValues => _values.Length > 0;

    /// <summary>The checksum of bytes.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + MaskDelta;
    }

    /// <summary>Begins an event.</summary>
    /// <param name="seconds">Since 1970.</param>
    /// <param name="step">Of the run.</param>
    public void Begin(double seconds, long step)
    {
        _values.Clear();
        _event.Clear();
        _event.Take(HeaderBytes);
        BinaryPrimitives.WriteDoubleLittleEndian(_event.Field(1, ProtoBytes.Fixed64, sizeof(double)), seconds);
        _event.Number(2, (ulong)step);
    }

    /// <summary>What the first event of a file says.</summary>
    public void SetVersion() => _event.Text(3, "brain.Event:2"u8);

    /// <summary>Says that what was logged of this step and later ones no longer holds: the run went on from before.</summary>
    public void SetStart()
    {
        _event.Head(7, ProtoBytes.NumberBytes);
        _event.Number(1, 1);
    }

    /// <summary>Adds a number.</summary>
    /// <param name="tag">Its name: the part before a slash groups charts.</param>
    /// <param name="value">The number.</param>
    public void AddScalar(ReadOnlySpan<byte> tag, double value)
    {
        _values.Head(1, ProtoBytes.TextBytes(tag.Length) + 1 + sizeof(float));
        _values.Text(1, tag);
        BinaryPrimitives.WriteSingleLittleEndian(_values.Field(2, ProtoBytes.Fixed32, sizeof(float)), (float)value);
    }

    /// <summary>Adds a text, for the page of texts.</summary>
    public void AddText(ReadOnlySpan<byte> tag, string text)
    {
        const ulong ofStrings = 7;
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        ReadOnlySpan<byte> plugin = "text"u8;
        int tensor = ProtoBytes.NumberBytes + ProtoBytes.TextBytes(0) + ProtoBytes.TextBytes(utf8.Length);
        int data = ProtoBytes.TextBytes(plugin.Length), metadata = ProtoBytes.TextBytes(data);
        _values.Head(1, ProtoBytes.TextBytes(tag.Length) + ProtoBytes.TextBytes(tensor) + ProtoBytes.TextBytes(metadata));
        _values.Text(1, tag);
        // A tensor without dimensions: its type, its shape, its value.
        _values.Head(8, tensor);
        _values.Number(1, ofStrings);
        _values.Text(2, []);
        _values.Text(8, utf8);
        _values.Head(9, metadata);
        _values.Head(1, data);
        _values.Text(1, plugin);
    }

    /// <summary>The record as it stands in a file; valid until the next one begins.</summary>
    public ReadOnlySpan<byte> End()
    {
        if (HasValues)
        {
            _event.Text(5, _values.Written);
        }

        int content = _event.Length - HeaderBytes;
        BinaryPrimitives.WriteUInt64LittleEndian(_event.Written, (ulong)content);
        BinaryPrimitives.WriteUInt32LittleEndian(_event.Written[sizeof(ulong)..], Checksum(_event.Written[..sizeof(ulong)]));
        uint checksum = Checksum(_event.Written.Slice(HeaderBytes, content));
        BinaryPrimitives.WriteUInt32LittleEndian(_event.Take(sizeof(uint)), checksum);
        return _event.Written;
    }
}

/// <summary>A message of protocol buffers, as it is put together: fields of numbers below 16, each with its kind in front.</summary>
internal sealed class ProtoBytes
{
    /// <summary>The kind of a field of eight bytes.</summary>
    public const int Fixed64 = 1;

    /// <summary>The kind of a field of four bytes.</summary>
    public const int Fixed32 = 5;

    /// <summary>Bytes of a field of a number below 128.</summary>
    public const int NumberBytes = 2;

    private const int Varint = 0;
    private const int LengthFirst = 2;

    private byte[] _bytes = new byte[512];

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public Span<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Bytes of a field of so many bytes of text, or of a message.</summary>
    public static int TextBytes(int length) => 1 + VarintBytes((ulong)length) + length;

    public void Clear() => Length = 0;

    /// <summary>A number.</summary>
    public void Number(int field, ulong value)
    {
        Field(field, Varint, 0);
        PutVarint(value);
    }

    /// <summary>Text, or a message that is there already.</summary>
    public void Text(int field, ReadOnlySpan<byte> text)
    {
        Head(field, text.Length);
        text.CopyTo(Take(text.Length));
    }

    /// <summary>The head of a message of so many bytes, which are written next.</summary>
    public void Head(int field, int length)
    {
        Field(field, LengthFirst, 0);
        PutVarint((ulong)length);
    }

    /// <summary>The head of a field, and the bytes after it, to be filled.</summary>
    public Span<byte> Field(int field, int kind, int bytes)
    {
        Take(1)[0] = (byte)((field << 3) | kind);
        return Take(bytes);
    }

    /// <summary>More bytes, to be filled.</summary>
    public Span<byte> Take(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, Length + count));
        }

        Length += count;
        return _bytes.AsSpan(Length - count, count);
    }

    private static int VarintBytes(ulong value) => Math.Max(1, (64 - BitOperations.LeadingZeroCount(value) + 6) / 7);

    private void PutVarint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            Take(1)[0] = (byte)(value | 0x80);
        }

        Take(1)[0] = (byte)value;
    }
}
