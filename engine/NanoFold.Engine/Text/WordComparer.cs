using System.Buffers.Binary;

namespace NanoFold.Engine.Text;

/// <summary>Byte strings by content, so that a dictionary of them can be asked with a span.</summary>
internal sealed class WordComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly WordComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(byte[] word) => GetHashCode(word.AsSpan());

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

    public int GetHashCode(ReadOnlySpan<byte> word)
    {
        const ulong Multiplier = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)word.Length;
        while (word.Length >= sizeof(ulong))
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(word));
            word = word[sizeof(ulong)..];
        }

        ulong rest = 0;
        for (int i = 0; i < word.Length; i++)
        {
            rest |= (ulong)word[i] << (8 * i);
        }

        return (int)(Mix(hash ^ rest) >> 32);

        static ulong Mix(ulong value) => (value ^ (value >> 29)) * Multiplier;
    }
}
