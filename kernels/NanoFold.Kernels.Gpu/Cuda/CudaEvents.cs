using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>Events of CUDA. A stream that waits for one of a stream that is captured becomes part of the capture: the graph has an edge for each wait.</summary>
internal sealed class CudaEvents(Accelerator accelerator) : IStreamEvents
{
    public nint New()
    {
        accelerator.Bind();
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.CreateEvent(out nint made, CudaEventFlags.CU_EVENT_DISABLE_TIMING));
        return made;
    }

    public void Record(nint made, AcceleratorStream stream)
    {
        accelerator.Bind();
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.RecordEvent(made, ((CudaStream)stream).StreamPtr));
    }

    public void Wait(AcceleratorStream stream, nint made)
    {
        accelerator.Bind();
        CudaDriver.Check(CudaDriver.StreamWaitEvent(((CudaStream)stream).StreamPtr, made, 0), "waiting for another branch of a step");
    }

    public void Delete(nint made)
    {
        accelerator.Bind();
        _ = CudaAPI.CurrentAPI.DestroyEvent(made);
    }
}
