using System.Security.Cryptography;
using NanoFold.Engine.Corpora;

namespace NanoFold.Engine.Data;

/// <summary>
/// A hash of a sample of files: of all that is in them where that is little, otherwise of blocks evenly spaced over their bytes. It tells files apart whose
/// sizes and times are the same, at a cost that does not grow with them.
/// </summary>
internal static class FileSample
{
    /// <summary>Up to so many bytes, in up to so many files, all are read.</summary>
    public const long WholeBytes = 8L << 20;
    public const int WholeFiles = 256;

    private const int BlockBytes = 4096;
    private const int Blocks = 256;

    /// <summary>SHA-256 in hexadecimal.</summary>
    public static string Hash(IReadOnlyList<SourceFile> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[BlockBytes];
        long total = files.Sum(file => file.Bytes);
        if (total <= WholeBytes && files.Count <= WholeFiles)
        {
            foreach (SourceFile file in files)
            {
                AddBlocks(hash, buffer, file, [.. Enumerable.Range(0, (int)((file.Bytes + BlockBytes - 1) / BlockBytes)).Select(i => (long)i * BlockBytes)]);
            }
        }
        else
        {
            long before = 0;
            foreach (SourceFile file in files)
            {
                long[] offsets = [.. Offsets(total).Where(at => at >= before && at < before + file.Bytes).Select(at => at - before)];
                AddBlocks(hash, buffer, file, offsets);
                before += file.Bytes;
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // The first block and the last are among them.
    private static IEnumerable<long> Offsets(long total)
        => Enumerable.Range(0, Blocks).Select(i => (long)((Int128)i * Math.Max(0, total - BlockBytes) / (Blocks - 1)));

    private static void AddBlocks(IncrementalHash hash, byte[] buffer, SourceFile source, long[] offsets)
    {
        if (offsets.Length == 0)
        {
            return;
        }

        try
        {
            using var file = new FileStream(source.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1);
            foreach (long offset in offsets)
            {
                file.Position = offset;
                hash.AppendData(buffer, 0, file.ReadAtLeast(buffer, BlockBytes, throwOnEndOfStream: false));
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            // Whether a text may have such a file is not decided here.
            hash.AppendData("unreadable"u8);
        }
    }
}
