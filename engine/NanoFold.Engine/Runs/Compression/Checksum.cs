using System.Buffers.Binary;
using System.Numerics;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>CRC-32C (Castagnoli), as SSE 4.2, iSCSI and ext4 have it: any change of up to 32 adjacent bits is found.</summary>
internal struct Checksum()
{
    private uint _crc = uint.MaxValue;

    public readonly uint Value => ~_crc;

    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        var sum = new Checksum();
        sum.Add(bytes);
        return sum.Value;
    }

    public void Add(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            _crc = BitOperations.Crc32C(_crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte value in bytes)
        {
            _crc = BitOperations.Crc32C(_crc, value);
        }
    }
}
