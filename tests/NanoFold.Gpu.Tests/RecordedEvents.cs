using ILGPU.Runtime;
using NanoFold.Kernels.Gpu;

namespace NanoFold.Gpu.Tests;

/// <summary>Notes what streams wait for, and what was launched in between, on a device that has no streams that run at the same time.</summary>
internal sealed class RecordedEvents : IStreamEvents
{
    private readonly List<AcceleratorStream> _streams = [];
    private nint _events;

    /// <summary>A line each: <c>0 reaches 1</c>, <c>1 waits for 1</c>, with streams by when they are first named, events by when they were made, from 1.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Events that are not deleted.</summary>
    public int Open { get; private set; }

    public nint New()
    {
        Open++;
        return ++_events;
    }

    public void Record(nint made, AcceleratorStream stream) => Calls.Add($"{Number(stream)} reaches {made}");

    public void Wait(AcceleratorStream stream, nint made) => Calls.Add($"{Number(stream)} waits for {made}");

    public void Delete(nint made) => Open--;

    private int Number(AcceleratorStream stream)
    {
        if (!_streams.Contains(stream))
        {
            _streams.Add(stream);
        }

        return _streams.IndexOf(stream);
    }
}
