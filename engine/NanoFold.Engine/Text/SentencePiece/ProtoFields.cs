using System.Buffers.Binary;

namespace NanoFold.Engine.Text;

/// <summary>Reads the fields of a message of protocol buffers, one after the other.</summary>
internal ref struct ProtoFields(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>The number of the field that was read last.</summary>
    public int Field { get; private set; }

    /// <summary>Its value, where it is a number.</summary>
    public ulong Number { get; private set; }

    /// <summary>Its bytes, where it has a length.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>A number of 32 bits as a float.</summary>
    public readonly float Single => BitConverter.UInt32BitsToSingle((uint)Number);

    /// <summary>Reads the next field; false at the end.</summary>
    /// <exception cref="FormatException">The message is damaged.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        ulong tag = Varint();
        Field = (int)(tag >> 3);
        Bytes = [];
        switch (tag & 7)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                Bytes = Take(Varint());
                break;
            case 5:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new FormatException("a field is of no known type");
        }

        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int i = 0; i < 10; i++)
        {
            byte part = Take(1)[0];
            value |= (ulong)(part & 0x7F) << (7 * i);
            if (part < 0x80)
            {
                return value;
            }
        }

        throw new FormatException("a number is too long");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_rest.Length)
        {
            throw new FormatException("it ends too early");
        }

        ReadOnlySpan<byte> taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
