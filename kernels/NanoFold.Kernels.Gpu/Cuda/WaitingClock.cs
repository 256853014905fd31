using System.Diagnostics;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Gpu.Cuda;

/// <summary>The host's clock for devices without one of their own: each mark waits for the device, so that what lies between two is its work and a launch.</summary>
internal sealed class WaitingClock(GpuContext context) : DeviceClock
{
    private readonly List<long> _marks = [];

    public override void Clear() => _marks.Clear();

    public override int Mark()
    {
        context.BeforeForeignLaunch();
        context.Stream.Synchronize();
        _marks.Add(Stopwatch.GetTimestamp());
        return _marks.Count - 1;
    }

    /// <summary>Nothing: the host cannot get ahead of a device that it waits for.</summary>
    public override void Hold(double milliseconds)
    {
    }

    public override double Seconds(int mark) => Stopwatch.GetElapsedTime(_marks[0], _marks[mark]).TotalSeconds;

    public override void Dispose()
    {
    }
}
