using ILGPU;
using ILGPU.Runtime.Cuda;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>CUDA events on the context's stream.</summary>
internal sealed class CudaClock(GpuContext context) : DeviceClock
{
    // A dependent multiply-add takes about four cycles of a clock of about 1.7 GHz.
    private const double MultiplyAddsPerMillisecond = 425_000;

    private readonly List<nint> _events = [];
    private readonly GpuBuffer _sink = new(context, sizeof(float));
    private int _marks;

    public override void Clear() => _marks = 0;

    public override int Mark()
    {
        context.BeforeForeignLaunch();
        context.Accelerator.Bind();
        if (_marks == _events.Count)
        {
            CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.CreateEvent(out nint made, CudaEventFlags.CU_EVENT_DEFAULT));
            _events.Add(made);
        }

        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.RecordEvent(_events[_marks], ((CudaStream)context.Stream).StreamPtr));
        return _marks++;
    }

    public override void Hold(double milliseconds) =>
        context.Launch(new SpinWork { Rounds = (int)(milliseconds * MultiplyAddsPerMillisecond), Sink = _sink.Memory.Cast<float>() }, 1, 1);

    public override double Seconds(int mark)
    {
        context.Accelerator.Bind();
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.SynchronizeEvent(_events[mark]));
        CudaException.ThrowIfFailed(CudaAPI.CurrentAPI.ElapsedTime(out float milliseconds, _events[0], _events[mark]));
        return milliseconds / 1e3;
    }

    public override void Dispose()
    {
        context.Accelerator.Bind();
        foreach (nint made in _events)
        {
            _ = CudaAPI.CurrentAPI.DestroyEvent(made);
        }

        _sink.Dispose();
    }

    /// <summary>One thread that computes for the sake of taking time.</summary>
    internal struct SpinWork : IGpuWork<SpinWork>
    {
        public int Rounds;
        public ArrayView<float> Sink;

        public static void Run(SpinWork work)
        {
            float x = work.Sink[0];
            for (int i = 0; i < work.Rounds; i++)
            {
                x = x * 0.999f + 1e-3f;
            }

            work.Sink[0] = x;
        }
    }
}
