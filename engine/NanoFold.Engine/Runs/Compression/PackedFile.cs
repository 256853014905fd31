using System.Buffers.Binary;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>A block of a compressed file.</summary>
/// <param name="Coded">What the range coder wrote.</param>
/// <param name="Sum">The check sum of the bytes that it stands for, in the order of coding.</param>
internal readonly record struct PackedBlock(byte[] Coded, uint Sum);

/// <summary>
/// A compressed file: its header, and blocks of a length, two check sums and what was coded. A file that was cut off or changed is found before anything is predicted, and told by the byte.
/// </summary>
/// <param name="Header">What it says of itself.</param>
/// <param name="Blocks">In their order.</param>
internal sealed record PackedFile(PackedHeader Header, IReadOnlyList<PackedBlock> Blocks)
{
    private const int SumBytes = 2 * sizeof(uint);

    /// <summary>Bytes of text in a block of a file that is stored as it is.</summary>
    public const int StoredBytes = 1 << 16;

    /// <summary>Writes a block: twice the bytes that were coded, and 1 for the last block; the check sum of all else in the block; that of the text; what was coded.</summary>
    public static void WriteBlock(Stream target, byte[] coded, uint sum, bool isLast)
    {
        using var head = new MemoryStream();
        VarInt.Write(head, ((ulong)coded.Length << 1) | (isLast ? 1u : 0));
        Span<byte> sums = stackalloc byte[SumBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(sums[sizeof(uint)..], sum);
        var all = new Checksum();
        all.Add(head.GetBuffer().AsSpan(0, (int)head.Length));
        all.Add(sums[sizeof(uint)..]);
        all.Add(coded);
        BinaryPrimitives.WriteUInt32LittleEndian(sums, all.Value);
        head.WriteTo(target);
        target.Write(sums);
        target.Write(coded);
    }

    /// <summary>A file that holds a text as it is.</summary>
    public static void WriteStored(Stream target, ReadOnlySpan<byte> text)
    {
        target.Write(new PackedHeader { Size = text.Length, IsStored = true }.ToBytes());
        for (int at = 0; at < text.Length; at += StoredBytes)
        {
            byte[] part = text.Slice(at, Math.Min(StoredBytes, text.Length - at)).ToArray();
            WriteBlock(target, part, Checksum.Of(part), at + part.Length == text.Length);
        }
    }

    /// <summary>Reads a file and looks at every check sum in it.</summary>
    /// <exception cref="UserException">It is none that was written so, cut off or damaged; the message says where.</exception>
    public static PackedFile Read(ReadOnlySpan<byte> bytes, string name)
    {
        PackedHeader header = PackedHeader.Read(bytes, name, out int at);
        var blocks = new List<PackedBlock>();
        bool isLast = header.Size == 0;
        while (!isLast)
        {
            string where = $"block {blocks.Count + 1}, which begins at byte {at}";
            var reader = new PackedReader(bytes, at);
            try
            {
                ulong packed = reader.Number(((ulong)int.MaxValue << 1) | 1);
                ReadOnlySpan<byte> head = bytes[at..reader.At], sums = reader.Take(SumBytes), coded = reader.Take((int)(packed >> 1));
                var all = new Checksum();
                all.Add(head);
                all.Add(sums[sizeof(uint)..]);
                all.Add(coded);
                if (BinaryPrimitives.ReadUInt32LittleEndian(sums) != all.Value)
                {
                    throw new InvalidDataException();
                }

                blocks.Add(new PackedBlock(coded.ToArray(), BinaryPrimitives.ReadUInt32LittleEndian(sums[sizeof(uint)..])));
                (isLast, at) = ((packed & 1) == 1, reader.At);
            }
            catch (EndOfStreamException)
            {
                throw new UserException($"{name}: ends at byte {bytes.Length}, within {where}: it was cut off there, or is damaged in that block's first bytes");
            }
            catch (InvalidDataException)
            {
                throw new UserException($"{name}: is damaged in {where}: its check sum is not that of what was written; what stands before it is sound");
            }
        }

        return at == bytes.Length ? new PackedFile(header, blocks)
            : throw new UserException($"{name}: goes on after byte {at}, where it should end: it was joined with another file, or is damaged");
    }
}
