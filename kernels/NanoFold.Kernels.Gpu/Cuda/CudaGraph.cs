using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>A captured stretch of the context's stream.</summary>
internal sealed class CudaGraph : RecordedCalls
{
    private readonly GpuContext _context;
    private readonly nint _stream;
    private nint _executable;

    private CudaGraph(GpuContext context, nint stream, nint executable)
    {
        _context = context;
        _stream = stream;
        _executable = executable;
    }

    /// <summary>Records what <paramref name="calls"/> launches; nothing of it runs.</summary>
    public static CudaGraph Capture(GpuContext context, Action calls)
    {
        // Finalizers of the runtime's objects would call the driver in the middle of a capture.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        context.FlushStates();
        context.Stream.Synchronize();
        context.BeforeForeignLaunch();
        context.Accelerator.Bind();
        nint stream = ((CudaStream)context.Stream).StreamPtr;
        CudaDriver.Check(CudaDriver.StreamBeginCapture(stream, CudaDriver.CaptureThreadLocal), "the begin of a capture");
        context.IsCapturing = true;
        int ended;
        nint graph;
        try
        {
            calls();
        }
        finally
        {
            context.IsCapturing = false;
            ended = CudaDriver.StreamEndCapture(stream, out graph);
        }

        CudaDriver.Check(ended, "the capture of a step");
        int made = CudaDriver.GraphInstantiate(out nint executable, graph, 0);
        _ = CudaDriver.GraphDestroy(graph);
        CudaDriver.Check(made, "the instantiation of a graph");
        return new CudaGraph(context, stream, executable);
    }

    public override void Replay()
    {
        ObjectDisposedException.ThrowIf(_executable == 0, this);
        _context.FlushStates();
        _context.BeforeForeignLaunch();
        _context.Accelerator.Bind();
        CudaDriver.Check(CudaDriver.GraphLaunch(_executable, _stream), "the launch of a graph");
    }

    public override void Dispose()
    {
        if (_executable != 0)
        {
            _ = CudaDriver.GraphExecDestroy(_executable);
            _executable = 0;
        }
    }
}
