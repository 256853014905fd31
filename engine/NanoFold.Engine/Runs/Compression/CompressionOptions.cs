namespace NanoFold.Engine.Runs.Compression;

/// <summary>How something is compressed.</summary>
public sealed record CompressionOptions
{
    /// <summary>Predict with the same bits on any machine, more slowly.</summary>
    public bool IsPortable { get; init; }

    /// <summary>Parts that are coded side by side; null for what suits the length.</summary>
    public int? Lanes { get; init; }

    /// <summary>Told from time to time how much is done, and bits per byte so far where known.</summary>
    public Action<CompressionProgress>? Progress { get; init; }

    // Looks at the clock now and then.
    internal Action<int, int>? Told(LaneCoder coder, int size)
    {
        if (Progress is not { } progress)
        {
            return null;
        }

        long tokens = 0;
        return (_, _) =>
        {
            if ((++tokens & 0xff) == 0)
            {
                progress(new CompressionProgress((double)coder.Bytes / size, coder.Curve is { } curve ? curve.Bits / Math.Max(1, coder.Bytes) : null));
            }
        };
    }
}

/// <summary>How far a text is.</summary>
/// <param name="Done">The share of it, from 0 to 1.</param>
/// <param name="BitsPerByte">So far; null where they are not counted.</param>
public readonly record struct CompressionProgress(double Done, double? BitsPerByte);
