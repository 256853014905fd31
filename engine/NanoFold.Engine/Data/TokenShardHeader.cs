using System.Buffers.Binary;

namespace NanoFold.Engine.Data;

/// <summary>
/// The first 64 bytes of a token shard, little-endian: magic <c>NFTOKENS</c>, u32 version 1, u32 bytes per token (2 or
/// 4), u32 vocabulary, u32 flags (1: documents are marked), u64 tokens, u64 documents, u64 bytes of text, u64 zero,
/// u64 FNV-1a hash of the 56 bytes before. Tokens follow, padded to 8 bytes, then a u64 per document: where it begins.
/// </summary>
internal readonly record struct TokenShardHeader(int BytesPerToken, int Vocab, bool Marked, long Tokens, long Documents, long TextBytes)
{
    public const int Size = 64;
    private const uint Version = 1;
    private const int HashAt = 56;

    /// <summary>Where the table of documents begins.</summary>
    public long DocumentsAt => (Size + (Tokens * BytesPerToken) + 7) / 8 * 8;

    /// <summary>How long the file must be.</summary>
    public long FileBytes => DocumentsAt + (Documents * sizeof(long));

    private static ReadOnlySpan<byte> Magic => "NFTOKENS"u8;

    /// <summary>How wide a token is stored.</summary>
    public static int WidthFor(int vocab) => vocab <= ushort.MaxValue + 1 ? sizeof(ushort) : sizeof(uint);

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Size];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), BytesPerToken);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), Vocab);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), Marked ? 1u : 0u);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), Tokens);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), Documents);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(40), TextBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(HashAt), Hash(bytes));
        return bytes;
    }

    /// <summary>Reads and checks a header against the length of its file; says what is wrong, or null.</summary>
    public static string? TryRead(ReadOnlySpan<byte> bytes, long fileBytes, out TokenShardHeader header)
    {
        header = default;
        if (bytes.Length < Size || !bytes.StartsWith(Magic))
        {
            return "is not a token shard";
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (version != Version)
        {
            return $"is a token shard of version {version}, only {Version} can be read";
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes[HashAt..]) != Hash(bytes))
        {
            return "is damaged: its header does not match its hash";
        }

        uint flags = BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]);
        header = new TokenShardHeader(
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[16..]),
            (flags & 1) != 0,
            BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[40..]));
        return header.Problem(flags, fileBytes);
    }

    // Counts are compared with the file before anything is computed from them, so nothing can overflow.
    private string? Problem(uint flags, long fileBytes)
    {
        if (Vocab < 1 || BytesPerToken != WidthFor(Vocab) || flags > 1 || TextBytes < 0)
        {
            return "is damaged: its header makes no sense";
        }

        if (Tokens < 0 || Tokens > fileBytes || Documents < 0 || Documents > Math.Min(Tokens, int.MaxValue) || (Tokens > 0 && Documents == 0))
        {
            return $"is damaged: its header claims {Tokens} tokens in {Documents} documents";
        }

        return FileBytes == fileBytes ? null : $"is damaged: it has {fileBytes} bytes where {FileBytes} are expected";
    }

    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in bytes[..HashAt])
        {
            hash = (hash ^ value) * 0x100000001B3;
        }

        return hash;
    }
}
