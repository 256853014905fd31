using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace NanoFold.Engine.Corpora;

/// <summary>Tells whether files are what they were without reading them: by name, size, time, and a sample of their content, for times can be set back.</summary>
internal static class FileSample
{
    private const int Pieces = 8;
    private const int PieceBytes = 1 << 12;

    /// <summary>The hash (SHA-256, hexadecimal) of what files look like, together with how they are read and which could not be.</summary>
    /// <exception cref="UserException">A file cannot be read.</exception>
    public static string Hash(string reader, IReadOnlyList<SourceFile> files, IReadOnlyList<Unread> unread)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(reader));
        byte[] piece = new byte[PieceBytes];
        foreach (SourceFile file in files)
        {
            string line = string.Create(CultureInfo.InvariantCulture, $"\0{file.Path}\0{file.Name}\0{file.Bytes}\0{file.ModifiedUtc.Ticks}");
            hash.AppendData(Encoding.UTF8.GetBytes(line));
            Sample(hash, file, piece);
        }

        foreach (Unread file in unread)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"\0{file.Name}\0{file.Reason}"));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    // Pieces at equal distances, the first and the last among them; of a small file all.
    private static void Sample(IncrementalHash hash, SourceFile file, byte[] piece)
    {
        try
        {
            using Stream stream = file.Open();
            long last = Math.Max(0, file.Bytes - PieceBytes);
            int count = (int)Math.Min(Pieces, 1 + ((last + PieceBytes - 1) / PieceBytes));
            for (int i = 0; i < count; i++)
            {
                stream.Position = count == 1 ? 0 : last * i / (count - 1);
                int read = stream.ReadAtLeast(piece, PieceBytes, throwOnEndOfStream: false);
                hash.AppendData(piece, 0, read);
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            // Whether that matters is decided where it is read.
            hash.AppendData(Encoding.UTF8.GetBytes(e.Message));
        }
    }
}
