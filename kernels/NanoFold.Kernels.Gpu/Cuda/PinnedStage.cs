using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>Pinned host memory from which a CUDA device copies on its own.</summary>
internal sealed class PinnedStage : IDisposable
{
    public const int Bytes = 1 << 20;

    private readonly GpuContext _context;
    private readonly PageLockedArray1D<byte> _memory;
    private readonly nint _sent;

    public PinnedStage(GpuContext context)
    {
        _context = context;
        _memory = context.Accelerator.AllocatePageLocked1D<byte>(Bytes);
        context.Accelerator.Bind();
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.CreateEvent(out _sent, CudaEventFlags.CU_EVENT_DISABLE_TIMING));
    }

    /// <summary>Waits for the last copy out of here, then begins this one.</summary>
    public void Send(ReadOnlySpan<byte> source, ArrayView<byte> target)
    {
        _context.Accelerator.Bind();
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.SynchronizeEvent(_sent));
        source.CopyTo(_memory.Span);
        target.CopyFrom(_context.Stream, _memory.ArrayView.SubView(0, source.Length));
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.RecordEvent(_sent, ((CudaStream)_context.Stream).StreamPtr));
    }

    public void Dispose()
    {
        _context.Accelerator.Bind();
        _ = CudaAPI.CurrentAPI.DestroyEvent(_sent);
        _memory.Dispose();
    }
}
