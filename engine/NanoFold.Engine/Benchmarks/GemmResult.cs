using NanoFold.Kernels;

namespace NanoFold.Engine.Benchmarks;

/// <summary>A case and its rate.</summary>
/// <param name="FlopsPerSecond">Of the median of the timed repetitions.</param>
public sealed record GemmResult(GemmCase Case, double FlopsPerSecond)
{
    private const double SecondsPerCase = 0.3;

    public static GemmResult Measure(GemmCase shape, Backend backend)
    {
        using DeviceBuffer a = Filled(backend, shape.M, shape.K), b = Filled(backend, shape.K, shape.N);
        using DeviceBuffer y = backend.Allocate((long)shape.M * shape.N * sizeof(float));
        View Operand(DeviceBuffer buffer, int rows, int columns) => new(buffer, 0, Layout.Of(rows, columns), DType.Float32);
        View left = shape.TransposeA ? Operand(a, shape.K, shape.M) : Operand(a, shape.M, shape.K);
        View right = shape.TransposeB ? Operand(b, shape.N, shape.K) : Operand(b, shape.K, shape.N);
        View target = Operand(y, shape.M, shape.N);
        void Multiply() => backend.MatMul(new MatMulArgs { A = left, B = right, Y = target, TransposeA = shape.TransposeA, TransposeB = shape.TransposeB });
        return new GemmResult(shape, shape.Flops / AlternatingTimer.Medians(backend, SecondsPerCase, Multiply)[0]);
    }

    private static DeviceBuffer Filled(Backend backend, int rows, int columns)
    {
        var values = new float[(long)rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = i % 17 * 0.125f - 1;
        }

        DeviceBuffer buffer = backend.Allocate((long)values.Length * sizeof(float));
        backend.Upload<float>(values, new View(buffer, 0, Layout.Of(values.Length), DType.Float32));
        return buffer;
    }
}
