using ILGPU;
using ILGPU.Runtime;

namespace NanoFold.Kernels.Gpu;

/// <summary>A piece of a GPU's memory, zeroed, its first byte aligned to 256.</summary>
internal sealed class GpuBuffer : DeviceBuffer
{
    private readonly GpuContext _context;
    private MemoryBuffer1D<byte, Stride1D.Dense>? _memory;

    public GpuBuffer(GpuContext context, long bytes)
        : base(bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        _context = context;
        _memory = context.AllocateMemory(Math.Max(bytes, 256));
        _memory.MemSetToZero(context.Stream);
    }

    public ArrayView<byte> Memory => _memory is { } memory
        ? memory.View
        : throw new ObjectDisposedException(nameof(GpuBuffer), "gpu buffer: used after it was disposed");

    /// <summary>OpenCL's handle of it.</summary>
    public nint Handle => _memory is { } memory
        ? memory.NativePtr
        : throw new ObjectDisposedException(nameof(GpuBuffer), "gpu buffer: used after it was disposed");

    public override void Dispose()
    {
        if (_memory is not null)
        {
            _context.FreeMemory(_memory);
            _memory = null;
        }
    }
}
