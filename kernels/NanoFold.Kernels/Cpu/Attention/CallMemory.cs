using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Cpu.Attention;

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
