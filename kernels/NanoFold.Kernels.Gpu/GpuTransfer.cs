using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using NanoFold.Kernels.Gpu.Cuda;

namespace NanoFold.Kernels.Gpu;

/// <summary>
/// Between the host and the device. On CUDA uploads go through two pinned buffers in turn: the copy runs beside the host, and a buffer is waited for
/// only when it comes round again. Downloads wait.
/// </summary>
internal sealed class GpuTransfer(GpuContext context) : IDisposable
{
    private readonly PinnedStage?[] _stages = new PinnedStage?[2];
    private int _next;

    public unsafe void Upload<T>(ReadOnlySpan<T> source, in View target)
        where T : unmanaged
    {
        context.BeforeForeignLaunch();
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        ArrayView<byte> device = GpuContext.Bytes(target);
        if (!context.IsCuda)
        {
            // ILGPU keeps the address only: the collector must not move what is there until the copy is done.
            fixed (byte* pinned = bytes)
            {
                device.CopyFromCPUUnsafeAsync(context.Stream, ref *pinned, bytes.Length);
                context.Stream.Synchronize();
            }

            return;
        }

        for (int done = 0; done < bytes.Length; done += PinnedStage.Bytes)
        {
            ReadOnlySpan<byte> part = bytes.Slice(done, Math.Min(PinnedStage.Bytes, bytes.Length - done));
            PinnedStage stage = _stages[_next] ??= new PinnedStage(context);
            _next = (_next + 1) % _stages.Length;
            stage.Send(part, device.SubView(done, part.Length));
        }
    }

    public unsafe void Download<T>(in View source, Span<T> target)
        where T : unmanaged
    {
        context.BeforeForeignLaunch();
        Span<byte> bytes = MemoryMarshal.AsBytes(target);
        fixed (byte* pinned = bytes)
        {
            GpuContext.Bytes(source).CopyToCPUUnsafeAsync(context.Stream, ref *pinned, bytes.Length);
            context.Stream.Synchronize();
        }
    }

    public void Dispose()
    {
        foreach (PinnedStage? stage in _stages)
        {
            stage?.Dispose();
        }
    }
}
