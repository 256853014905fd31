using System.Diagnostics;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;

namespace NanoFold.Engine.Measurement;

/// <summary>How fast a backend reads memory that no cache holds: what decoding and other work that waits for memory is compared with.</summary>
public sealed class MemoryBandwidth : IDisposable
{
    // Several times the last-level cache of one processor, and of as many as there are.
    private const long LeastBytes = 512L << 20;
    private const long BytesPerProcessor = 32L << 20;
    private const long MostBytes = 4L << 30;
    private const int ShareOfMemory = 4;

    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly DeviceBuffer _sum;
    private readonly IKernel<MemoryReadCall>? _kernel;

    /// <summary>Allocates what is read.</summary>
    public MemoryBandwidth(Backend backend)
    {
        _backend = backend;
        _kernel = backend.Find<MemoryReadCall>();
        long wanted = Math.Clamp(Environment.ProcessorCount * BytesPerProcessor, LeastBytes, MostBytes);
        _buffer = backend.Allocate(Math.Min(wanted, DeviceMemory.Available(backend) / ShareOfMemory));
        _sum = backend.Allocate(sizeof(float));
        // Memory that was never written may be one page of zeros.
        backend.Fill(All, 1);
    }

    /// <summary>Bytes per second of reading the buffer once, with all of the backend's threads.</summary>
    public double Measure()
    {
        View all = All;
        _backend.Synchronize();
        long started = Stopwatch.GetTimestamp();
        var sum = new View(_sum, 0, Layout.Of(1), DType.Float32);
        if (_kernel is not null)
        {
            _kernel.Run(new MemoryReadCall(all, sum));
            _backend.Synchronize();
        }
        else
        {
            _backend.Sum(all, sum);
            // Waits until it is done.
            _backend.Download(sum, new float[1].AsSpan());
        }

        return _buffer.Bytes / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private View All => new(_buffer, 0, Layout.Of(checked((int)(_buffer.Bytes / sizeof(float)))), DType.Float32);

    public void Dispose()
    {
        _buffer.Dispose();
        _sum.Dispose();
    }
}
