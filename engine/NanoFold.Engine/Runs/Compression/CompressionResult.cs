using System.Diagnostics;

namespace NanoFold.Engine.Runs.Compression;

/// <summary>What became of a text that was compressed or decompressed.</summary>
public sealed record CompressionResult
{
    /// <summary>Bytes of the text.</summary>
    public required long SourceBytes { get; init; }

    /// <summary>Bytes of the compressed file.</summary>
    public long PackedBytes { get; init; }

    /// <summary>Tokens that were predicted, and runs of bytes that no token stood for.</summary>
    public required long Tokens { get; init; }

    /// <summary>Bytes that no token stood for.</summary>
    public required long RawBytes { get; init; }

    /// <summary>−log₂ of the model's probabilities, per byte of the text; null where they were not counted.</summary>
    public double? CrossEntropy { get; init; }

    /// <summary>Where the bits went.</summary>
    public BitCurve? Curve { get; init; }

    /// <summary>Parts that were coded side by side.</summary>
    public required int Lanes { get; init; }

    /// <summary>How it was predicted: an instruction set, or <c>portable</c>; <c>stored</c> where the text stands as it is.</summary>
    public required string Path { get; init; }

    /// <summary>Steps that the model was trained for while coding.</summary>
    public long Steps { get; init; }

    /// <summary>How long the model is; null where it learned while coding, and while decompressing.</summary>
    public ModelBytes? Model { get; init; }

    /// <summary>Of predicting and coding, without reading the model.</summary>
    public required double Seconds { get; init; }

    /// <summary>Bits of the file per byte of the text.</summary>
    public double BitsPerByte => 8.0 * PackedBytes / Math.Max(1, SourceBytes);

    internal static CompressionResult Of(LaneCoder coder, PackedHeader header, long began) => new()
    {
        SourceBytes = header.Size,
        Tokens = coder.Symbols,
        RawBytes = coder.RawBytes,
        CrossEntropy = coder.Curve is null ? null : coder.CrossEntropyBits / Math.Max(1, header.Size),
        Curve = coder.Curve,
        Lanes = header.Lanes.Count,
        Path = NumericPath.Name(header.Path),
        Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds,
    };

    internal static CompressionResult Stored(int size) => new() { SourceBytes = size, Tokens = 0, RawBytes = 0, Lanes = 0, Path = "stored", Seconds = 0 };
}
