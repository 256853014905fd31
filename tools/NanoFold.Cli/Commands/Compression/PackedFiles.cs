using System.Diagnostics;
using NanoFold.Engine;
using NanoFold.Engine.Runs.Compression;

namespace NanoFold.Cli.Commands.Compression;

/// <summary>Reads files whole, as compressing needs them.</summary>
internal static class PackedFiles
{
    private const int MostBytes = 1 << 30;

    /// <summary>The bytes of a file.</summary>
    /// <exception cref="UserException">It cannot be read, or is too large.</exception>
    public static byte[] Read(string path)
    {
        if (Directory.Exists(path))
        {
            throw new UserException($"{path}: is a folder; name a file");
        }

        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            using var bytes = new MemoryStream();
            byte[] buffer = new byte[1 << 16];
            for (int read; (read = file.Read(buffer)) > 0;)
            {
                bytes.Write(buffer, 0, read);
                if (bytes.Length > MostBytes)
                {
                    throw new UserException($"{path}: has more than {Display.Bytes(MostBytes)}, which is the most; cut it into parts");
                }
            }

            return bytes.ToArray();
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", path, e);
        }
    }
}

/// <summary>A line every ten seconds.</summary>
internal sealed class PackingProgress(Output output)
{
    private const double Seconds = 10;

    private long _shown = Stopwatch.GetTimestamp();

    public void Show(CompressionProgress progress)
    {
        if (Stopwatch.GetElapsedTime(_shown).TotalSeconds < Seconds)
        {
            return;
        }

        _shown = Stopwatch.GetTimestamp();
        string bits = progress.BitsPerByte is { } value ? $", {Display.Number(value, "0.000")} bits per byte so far" : "";
        output.Note($"{Display.Number(100 * progress.Done, "0")} %{bits}");
    }
}
