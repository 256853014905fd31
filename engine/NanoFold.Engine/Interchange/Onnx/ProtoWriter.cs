using System.Text;

namespace NanoFold.Engine.Interchange.Onnx;

/// <summary>A message of protocol buffers (https://protobuf.dev/programming-guides/encoding): fields one after the other, each with its number and how it is written.</summary>
internal sealed class ProtoWriter
{
    private const int Varint = 0, Counted = 2, Fixed32 = 5, KindBits = 3;

    private readonly MemoryStream _bytes = new();

    /// <summary>Bytes so far.</summary>
    public long Length => _bytes.Length;

    public ProtoWriter Number(int field, long value)
    {
        Key(field, Varint);
        Raw((ulong)value);
        return this;
    }

    public ProtoWriter Real(int field, float value)
    {
        Key(field, Fixed32);
        _bytes.Write(BitConverter.GetBytes(value));
        return this;
    }

    public ProtoWriter Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public ProtoWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        Key(field, Counted);
        Raw((ulong)value.Length);
        _bytes.Write(value);
        return this;
    }

    /// <summary>A message in this one.</summary>
    public ProtoWriter Message(int field, ProtoWriter message)
    {
        Key(field, Counted);
        Raw((ulong)message.Length);
        message.WriteTo(_bytes);
        return this;
    }

    /// <summary>Writes the message.</summary>
    public void WriteTo(Stream stream) => _bytes.WriteTo(stream);

    private void Key(int field, int kind) => Raw((ulong)((field << KindBits) | kind));

    // Seven bits a byte, the lowest first; the eighth says that more follow.
    private void Raw(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            _bytes.WriteByte((byte)(value | 0x80));
        }

        _bytes.WriteByte((byte)value);
    }
}
