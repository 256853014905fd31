using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Width and element size of a lane, for laying out scratch.</summary>
internal readonly struct LaneSize(int width, int bytes)
{
    public int Width { get; } = width;

    /// <summary>Bytes of one element.</summary>
    public int Bytes { get; } = bytes;

    public static LaneSize Of<V>()
        where V : struct, ICpuLane<V>
        => new(V.Width, V.Type.Size());

    /// <summary>Lanes that hold <paramref name="count"/> elements.</summary>
    public int Lanes(int count) => (count + Width - 1) / Width;

    /// <summary><paramref name="count"/> rounded up to whole lanes.</summary>
    public int Padded(int count) => Lanes(count) * Width;
}
