using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Hands out aligned pieces of a worker's scratch. Started at null it only measures.</summary>
internal unsafe struct ScratchCursor(void* start)
{
    public const int Alignment = 64;

    private readonly byte* _start = (byte*)start;
    private byte* _next = (byte*)start;

    public readonly long Used => _next - _start;

    public void* Take(long bytes)
    {
        byte* piece = _next;
        _next += (bytes + Alignment - 1) / Alignment * Alignment;
        return piece;
    }
}

/// <summary>Width and element size of a lane, for laying out scratch.</summary>
internal readonly struct LaneSize(int width, int bytes)
{
    public int Width { get; } = width;

    /// <summary>Bytes of one element.</summary>
    public int Bytes { get; } = bytes;

    public static LaneSize Of<V>()
        where V : struct, ICpuLane<V>
        => new(V.Width, V.Type.Size());

    /// <summary>A lane that no machine has wider: what is laid out for it has room for any.</summary>
    public static LaneSize Widest(DType type) => new(16, type.Size());

    /// <summary>Lanes that hold <paramref name="count"/> elements.</summary>
    public int Lanes(int count) => (count + Width - 1) / Width;

    /// <summary><paramref name="count"/> rounded up to whole lanes.</summary>
    public int Padded(int count) => Lanes(count) * Width;
}

/// <summary>Memory that a kernel needs for one call; it grows and is used again by the next.</summary>
internal sealed unsafe class CallMemory : IDisposable
{
    private NativeBuffer? _buffer;

    /// <summary>Contents are arbitrary; null where nothing is asked for.</summary>
    public void* Take(long bytes)
    {
        if (bytes == 0)
        {
            return null;
        }

        if (_buffer is null || _buffer.Bytes < bytes)
        {
            _buffer?.Dispose();
            _buffer = new NativeBuffer(bytes);
        }

        return _buffer.Pointer;
    }

    public void Dispose() => _buffer?.Dispose();
}
