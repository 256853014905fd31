using System.Buffers.Binary;
using System.Text;
using NanoFold.Engine.Interchange;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>What a compressed file says of itself before its blocks. docs/compression.md has its bytes.</summary>
internal sealed record PackedHeader
{
    /// <summary>What a file begins with; the last byte is the version of the format.</summary>
    public static ReadOnlySpan<byte> Magic => [0xf7, (byte)'N', (byte)'F', (byte)'C', 1];

    private const byte PrequentialFlag = 1, PortableFlag = 2, StoredFlag = 4, WeightsFlag = 8;
    private const int MostLanes = 1 << 10;

    /// <summary>Bytes of <see cref="Settings"/> at most.</summary>
    public const int MostSettings = 1 << 16;

    // As a file numbers them, from 1.
    private static readonly WeightStorage[] s_weights = [WeightStorage.Float16, WeightStorage.BFloat16, WeightStorage.Q8_0];

    /// <summary>Bytes of the text.</summary>
    public required int Size { get; init; }

    /// <summary>The text as it is: it would have become longer.</summary>
    public bool IsStored { get; init; }

    /// <summary>Predicted with the same bits on any machine.</summary>
    public bool IsPortable { get; init; }

    /// <summary>The settings of a model that learned while it coded; null for a model that was there.</summary>
    public string? Settings { get; init; }

    /// <summary>Of the model; 0 where it learned meanwhile.</summary>
    public ulong ModelHash { get; init; }

    /// <summary>What the model's matrices were rounded to before it predicted; <see cref="WeightStorage.Float32"/> where to nothing.</summary>
    public WeightStorage Weights { get; init; }

    /// <summary>The instruction set that predicted, <see cref="NumericPath.Code"/>.</summary>
    public byte Path { get; init; }

    /// <summary>Of what the model predicts after some tokens, bit by bit.</summary>
    public uint Fingerprint { get; init; }

    /// <summary>The parts of the text.</summary>
    public IReadOnlyList<Lane> Lanes { get; init; } = [];

    public byte[] ToBytes()
    {
        using var bytes = new MemoryStream();
        bytes.Write(Magic);
        bytes.WriteByte((byte)((Settings is null ? 0 : PrequentialFlag) | (IsPortable ? PortableFlag : 0) | (IsStored ? StoredFlag : 0) | (Rounding > 0 ? WeightsFlag : 0)));
        VarInt.Write(bytes, (ulong)Size);
        if (!IsStored)
        {
            bytes.WriteByte(Path);
            if (Rounding > 0)
            {
                bytes.WriteByte((byte)Rounding);
            }

            Span<byte> numbers = stackalloc byte[sizeof(ulong) + sizeof(uint)];
            BinaryPrimitives.WriteUInt64LittleEndian(numbers, ModelHash);
            BinaryPrimitives.WriteUInt32LittleEndian(numbers[sizeof(ulong)..], Fingerprint);
            bytes.Write(Settings is null ? numbers : numbers[sizeof(ulong)..]);
            VarInt.Write(bytes, (ulong)Lanes.Count);
            foreach (Lane lane in Lanes)
            {
                VarInt.Write(bytes, (((ulong)lane.Length) << 1) | (uint)lane.Before);
            }
        }

        if (Settings is not null && !IsStored)
        {
            byte[] settings = Encoding.UTF8.GetBytes(Settings);
            VarInt.Write(bytes, (ulong)settings.Length);
            bytes.Write(settings);
        }

        Span<byte> sum = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(sum, Checksum.Of(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
        bytes.Write(sum);
        return bytes.ToArray();
    }

    /// <summary>Reads it.</summary>
    /// <param name="bytes">Of the file.</param>
    /// <param name="name">Of the file, for messages.</param>
    /// <param name="end">Where the blocks begin.</param>
    /// <exception cref="UserException">It is another file, of a later version, cut off or damaged.</exception>
    public static PackedHeader Read(ReadOnlySpan<byte> bytes, string name, out int end)
    {
        ReadOnlySpan<byte> magic = Magic;
        if (!bytes.StartsWith(magic[..^1]))
        {
            throw new UserException(bytes.Length < magic.Length && magic.StartsWith(bytes)
                ? $"{name}: ends at byte {bytes.Length}, within its header: it was cut off"
                : $"{name}: is no file that compress wrote");
        }

        if (bytes.Length < magic.Length || bytes[magic.Length - 1] != magic[^1])
        {
            throw new UserException(bytes.Length < magic.Length
                ? $"{name}: ends at byte {bytes.Length}, within its header: it was cut off"
                : $"{name}: has version {bytes[magic.Length - 1]} of the format of compressed files; this NanoFold reads version {magic[^1]}: use a newer one");
        }

        var reader = new PackedReader(bytes, magic.Length);
        try
        {
            PackedHeader header = Read(ref reader);
            end = reader.At + sizeof(uint);
            if (bytes.Length < end)
            {
                throw new EndOfStreamException();
            }

            return BinaryPrimitives.ReadUInt32LittleEndian(bytes[reader.At..]) == Checksum.Of(bytes[..reader.At]) && header.IsSound ? header : throw Damaged(name);
        }
        catch (EndOfStreamException)
        {
            throw new UserException($"{name}: ends at byte {bytes.Length}, within its header: it was cut off");
        }
        catch (InvalidDataException)
        {
            throw Damaged(name);
        }
    }

    private int Rounding => Array.IndexOf(s_weights, Weights) + 1;

    private bool IsSound => IsStored || (Lanes.Count > 0 && Size > 0 && Lanes.Sum(lane => (long)lane.Length) == Size && Lanes.All(lane => lane.Length > 0 || lane.Before == 0));

    private static UserException Damaged(string name) => new($"{name}: its header is damaged: its check sum is not that of what was written");

    private static PackedHeader Read(ref PackedReader reader)
    {
        byte flags = reader.Take(1)[0];
        int size = (int)reader.Number(int.MaxValue);
        var header = new PackedHeader { Size = size, IsPortable = (flags & PortableFlag) != 0, IsStored = (flags & StoredFlag) != 0 };
        if (header.IsStored)
        {
            return header;
        }

        byte path = reader.Take(1)[0];
        int rounding = (flags & WeightsFlag) != 0 ? reader.Take(1)[0] : 0;
        if (rounding > s_weights.Length)
        {
            throw new InvalidDataException();
        }

        bool learns = (flags & PrequentialFlag) != 0;
        ulong hash = learns ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(reader.Take(sizeof(ulong)));
        uint fingerprint = BinaryPrimitives.ReadUInt32LittleEndian(reader.Take(sizeof(uint)));
        var lanes = new Lane[(int)reader.Number(MostLanes)];
        int begin = 0;
        for (int i = 0; i < lanes.Length; i++)
        {
            ulong packed = reader.Number(((ulong)int.MaxValue << 1) | 1);
            lanes[i] = new Lane(begin, (int)(packed >> 1), (int)(packed & 1));
            begin = (int)Math.Min(int.MaxValue, (long)begin + lanes[i].Length);
        }

        string? settings = learns ? Encoding.UTF8.GetString(reader.Take((int)reader.Number(MostSettings))) : null;
        return header with { Path = path, Weights = rounding > 0 ? s_weights[rounding - 1] : WeightStorage.Float32, ModelHash = hash, Fingerprint = fingerprint, Lanes = lanes, Settings = settings };
    }
}

/// <summary>Whole numbers in groups of 7 bits, the lowest first, each but the last with the upper bit set (LEB128).</summary>
internal static class VarInt
{
    public static void Write(Stream target, ulong value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            target.WriteByte((byte)(value | 0x80));
        }

        target.WriteByte((byte)value);
    }
}

/// <summary>Takes one thing of a file after the other.</summary>
internal ref struct PackedReader(ReadOnlySpan<byte> bytes, int at)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public int At { get; private set; } = at;

    /// <summary>The next bytes.</summary>
    /// <exception cref="EndOfStreamException">There are fewer.</exception>
    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > _bytes.Length - At)
        {
            throw new EndOfStreamException();
        }

        At += count;
        return _bytes.Slice(At - count, count);
    }

    /// <summary>The next whole number.</summary>
    /// <exception cref="EndOfStreamException">The file ends within it.</exception>
    /// <exception cref="InvalidDataException">It is larger than anything that is written there.</exception>
    public ulong Number(ulong most)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = Take(1)[0];
            if (shift > 56)
            {
                throw new InvalidDataException();
            }

            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return value <= most ? value : throw new InvalidDataException();
            }
        }
    }
}
