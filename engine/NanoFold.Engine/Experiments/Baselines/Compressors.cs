using System.Diagnostics;
using System.IO.Compression;
using System.Numerics;
using SharpCompress.Compressors.LZMA;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace NanoFold.Engine.Experiments.Baselines;

/// <summary>General compressors as baselines of text: by itself, and after the text that was trained on. A model sees that one, so the second is what it is to be compared with.</summary>
public static class Compressors
{
    // As xz -9e has it.
    private const int LzmaFastBytes = 273;
    private const int LeastDictionary = 1 << 16;
    private const int ZstdLevel = 19;
    private const int ZstdWindowLog = 26;

    /// <summary>Both of them, on the held-back text.</summary>
    /// <param name="train">The end of the text that was trained on.</param>
    /// <param name="validation">The held-back text.</param>
    /// <param name="cancel">Looked at between two of them.</param>
    public static IReadOnlyList<CompressorBaseline> All(byte[] train, byte[] validation, CancellationToken cancel = default)
    {
        var found = new List<CompressorBaseline>();
        foreach ((string name, string setting, Func<byte[], long> compress) in new (string, string, Func<byte[], long>)[]
        {
            ("xz", "LZMA, 273 fast bytes, a dictionary that holds all of it (as xz -9e)", Lzma),
            ("zstd", "level 19, a window that holds all of it", Zstd),
        })
        {
            cancel.ThrowIfCancellationRequested();
            long began = Stopwatch.GetTimestamp();
            double alone = compress(validation), after = compress([.. train, .. validation]) - compress(train), bytes = Math.Max(1, validation.Length) / 8.0;
            found.Add(new CompressorBaseline(name, setting, alone / bytes, after / bytes, validation.Length, train.Length, Stopwatch.GetElapsedTime(began).TotalSeconds));
        }

        return found;
    }

    /// <summary>Bytes of what gzip makes of it, as with -9.</summary>
    public static long Gzip(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var encoder = new GZipStream(target, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            encoder.Write(bytes);
        }

        return target.Length;
    }

    /// <summary>Bytes of what LZMA makes of it, without the few that the container of an .xz file adds.</summary>
    public static long Lzma(byte[] bytes)
    {
        using var target = new MemoryStream();
        // A larger one finds no more, and takes eleven times its size in memory.
        int dictionary = (int)Math.Min(1 << 26, BitOperations.RoundUpToPowerOf2((uint)Math.Max(LeastDictionary, bytes.Length)));
        using (var encoder = LzmaStream.Create(new LzmaEncoderProperties(eos: true, dictionary, LzmaFastBytes), isLzma2: false, target))
        {
            encoder.Write(bytes);
        }

        return target.Length;
    }

    /// <summary>Bytes of what zstd makes of it.</summary>
    public static long Zstd(byte[] bytes)
    {
        using var compressor = new Compressor(ZstdLevel);
        compressor.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, ZstdWindowLog);
        return compressor.Wrap(bytes).Length;
    }
}
