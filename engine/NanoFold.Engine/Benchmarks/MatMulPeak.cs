using System.Diagnostics;
using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>The matrix-product rate of a backend: the yardstick of "share of peak".</summary>
public static class MatMulPeak
{
    private const int Size = 768;
    private const int Repetitions = 5;

    /// <summary>FLOP/s of the best of a few products of 768³ in float32.</summary>
    public static double Measure(Backend backend)
    {
        long bytes = (long)Size * Size * sizeof(float);
        using DeviceBuffer a = backend.Allocate(bytes), b = backend.Allocate(bytes), y = backend.Allocate(bytes);
        Layout layout = Layout.Of(Size, Size);
        double best = 0;
        for (int i = 0; i < Repetitions; i++)
        {
            backend.Synchronize();
            long started = Stopwatch.GetTimestamp();
            backend.MatMul(new MatMulArgs { A = new(a, 0, layout, DType.Float32), B = new(b, 0, layout, DType.Float32), Y = new(y, 0, layout, DType.Float32) });
            backend.Synchronize();
            best = Math.Max(best, 2.0 * Size * Size * Size / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }
}
