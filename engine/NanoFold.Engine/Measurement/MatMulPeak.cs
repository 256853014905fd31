using System.Diagnostics;
using NanoFold.Kernels;

namespace NanoFold.Engine.Measurement;

/// <summary>The matrix-product rate of a backend: the yardstick of "share of peak".</summary>
public static class MatMulPeak
{
    private const int Size = 768;

    // Enough for every multiprocessor of a GPU.
    private const int DeviceSize = 4096;
    private const int Repetitions = 5;

    /// <summary>FLOP/s of the best of a few products of 768³, or of 4096³ on a device with memory of its own.</summary>
    public static double Measure(Backend backend, Arithmetic arithmetic = default)
    {
        if (backend.FreeBytes is not null)
        {
            return GemmResult.Measure(new GemmCase("peak", DeviceSize, DeviceSize, DeviceSize, false, true), backend, arithmetic).FlopsPerSecond;
        }

        const long Bytes = (long)Size * Size * sizeof(float);
        using DeviceBuffer a = backend.Allocate(Bytes), b = backend.Allocate(Bytes), y = backend.Allocate(Bytes);
        Layout layout = Layout.Of(Size, Size);
        double best = 0;
        for (int i = 0; i < Repetitions; i++)
        {
            long started = Stopwatch.GetTimestamp();
            backend.MatMul(new MatMulArgs { A = new(a, 0, layout, DType.Float32), B = new(b, 0, layout, DType.Float32), Y = new(y, 0, layout, DType.Float32), Rounding = arithmetic.Rounding });
            best = Math.Max(best, 2.0 * Size * Size * Size / Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        return best;
    }
}
