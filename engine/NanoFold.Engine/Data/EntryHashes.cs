using System.Security.Cryptography;
using System.Text;

namespace NanoFold.Engine.Data;

/// <summary>
/// The hashes of every file of a folder, in a file beside them that <c>sha256sum --check</c> reads: what was changed after the folder was finished is
/// noticed, be it one bit of a token.
/// </summary>
internal static class EntryHashes
{
    /// <summary>The file's name: lines of a SHA-256 in hexadecimal, two spaces and a name.</summary>
    public const string FileName = "SHA256SUMS";

    private const int BufferBytes = 1 << 20;

    /// <summary>Writes the hashes of all files in a folder that is complete otherwise.</summary>
    public static void Write(string folder)
    {
        var lines = new StringBuilder();
        foreach (string path in Directory.GetFiles(folder).Order(StringComparer.Ordinal))
        {
            lines.Append(Of(path)).Append("  ").Append(Path.GetFileName(path)).Append('\n');
        }

        using var file = new FileStream(Path.Combine(folder, FileName), FileMode.CreateNew, FileAccess.Write);
        file.Write(Encoding.UTF8.GetBytes(lines.ToString()));
        file.Flush(flushToDisk: true);
    }

    /// <summary>Whether the named files are as they were when the hashes were written.</summary>
    /// <exception cref="IOException">One cannot be read.</exception>
    public static bool Match(string folder, params ReadOnlySpan<string> names)
    {
        string list = Path.Combine(folder, FileName);
        if (!File.Exists(list))
        {
            return false;
        }

        string[] lines = File.ReadAllLines(list);
        foreach (string name in names)
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path) || !lines.Contains($"{Of(path)}  {name}"))
            {
                return false;
            }
        }

        return true;
    }

    private static string Of(string path)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1, FileOptions.SequentialScan);
        byte[] buffer = new byte[(int)Math.Clamp(file.Length, 1, BufferBytes)];
        for (int read; (read = file.Read(buffer)) > 0;)
        {
            hash.AppendData(buffer, 0, read);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
