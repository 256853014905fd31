using NanoFold.Kernels;

namespace NanoFold.Engine.Measurement;

/// <summary>A case and its rate.</summary>
/// <param name="FlopsPerSecond">Of the median of the timed repetitions.</param>
public sealed record GemmResult(GemmCase Case, double FlopsPerSecond)
{
    private const double SecondsPerCase = 0.3;
    private const int MostDrawn = 1 << 22;

    /// <param name="shape">What is multiplied.</param>
    /// <param name="backend">Where.</param>
    /// <param name="arithmetic">The type of the operands and the result, and how products round.</param>
    public static GemmResult Measure(GemmCase shape, Backend backend, Arithmetic arithmetic = default)
    {
        DType type = arithmetic.Type;
        using DeviceBuffer a = Filled(backend, shape.M, shape.K, type), b = Filled(backend, shape.K, shape.N, type);
        using DeviceBuffer y = backend.Allocate((long)shape.M * shape.N * type.Size());
        View Operand(DeviceBuffer buffer, int rows, int columns) => new(buffer, 0, Layout.Of(rows, columns), type);
        View left = shape.TransposeA ? Operand(a, shape.K, shape.M) : Operand(a, shape.M, shape.K);
        View right = shape.TransposeB ? Operand(b, shape.N, shape.K) : Operand(b, shape.K, shape.N);
        View target = Operand(y, shape.M, shape.N);
        void Multiply() => backend.MatMul(new MatMulArgs { A = left, B = right, Y = target, TransposeA = shape.TransposeA, TransposeB = shape.TransposeB, Rounding = arithmetic.Rounding });
        return new GemmResult(shape, shape.Flops / AlternatingTimer.Medians(backend, SecondsPerCase, Multiply)[0]);
    }

    // Random numbers, for a device's clock may depend on how many bits change: one stretch of them over and over.
    private static DeviceBuffer Filled(Backend backend, int rows, int columns, DType type)
    {
        long count = (long)rows * columns;
        var values = new float[Math.Min(count, MostDrawn)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (Philox.Next((ulong)values.Length, (ulong)i, 0).X0 >> 8) * (1f / (1 << 23)) - 1;
        }

        DeviceBuffer buffer = backend.Allocate(count * type.Size());
        for (long start = 0; start < count; start += values.Length)
        {
            int length = (int)Math.Min(values.Length, count - start);
            backend.Write(values.AsSpan(0, length), new View(buffer, start, Layout.Of(length), type));
        }

        return buffer;
    }
}
