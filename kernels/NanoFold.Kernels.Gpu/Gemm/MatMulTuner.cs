using System.Diagnostics;

namespace NanoFold.Kernels.Gpu.Gemm;

/// <summary>Makes operands for products, and has them measured.</summary>
internal sealed class MatMulTuner : IDisposable
{
    private const int Drawn = 1 << 20;

    private readonly GpuBackend _backend;
    private readonly CudaMatMul _products;
    private readonly CudaGemmTimer _timer;
    private readonly DeviceBuffer _numbers;

    public MatMulTuner(GpuBackend backend, CudaMatMul products)
    {
        (_backend, _products, _timer) = (backend, products, new CudaGemmTimer(backend.Context, products));
        _numbers = backend.Allocate(Drawn * sizeof(float));
        var values = new float[Drawn];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (Philox.Next(0, (ulong)i, 0).X0 >> 8) * (1f / (1 << 23)) - 1;
        }

        backend.Upload<float>(values, new View(_numbers, 0, Layout.Of(Drawn), DType.Float32));
    }

    /// <summary>Measures until the time is up; products that do not fit into memory are left out.</summary>
    public IReadOnlyList<MatMulTuning> Run(IEnumerable<MatMulShape> shapes, TimeSpan limit)
    {
        long started = Stopwatch.GetTimestamp();
        var result = new List<MatMulTuning>();
        foreach (MatMulShape shape in shapes)
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
            {
                break;
            }

            if (2 * Bytes(shape) < (_backend.FreeBytes ?? long.MaxValue) && Measure(shape) is { } tuning)
            {
                result.Add(new MatMulTuning(shape, $"{tuning.Before}", $"{tuning.After}", tuning.SecondsBefore, tuning.SecondsAfter));
            }
        }

        return result;
    }

    public void Dispose()
    {
        _timer.Dispose();
        _numbers.Dispose();
    }

    private static long Bytes(in MatMulShape shape)
        => ((long)shape.M * shape.K + (long)shape.K * shape.N) * shape.Type.Size() + (long)shape.M * shape.N * shape.Output.Size();

    private GemmTuning? Measure(in MatMulShape shape)
    {
        using DeviceBuffer a = Filled((long)shape.M * shape.K, shape.Type), b = Filled((long)shape.K * shape.N, shape.Type);
        using DeviceBuffer y = _backend.Allocate((long)shape.M * shape.N * shape.Output.Size());
        var args = new MatMulArgs
        {
            A = new View(a, 0, shape.TransposeA ? Layout.Of(shape.K, shape.M) : Layout.Of(shape.M, shape.K), shape.Type),
            B = new View(b, 0, shape.TransposeB ? Layout.Of(shape.N, shape.K) : Layout.Of(shape.K, shape.N), shape.Type),
            Y = new View(y, 0, Layout.Of(shape.M, shape.N), shape.Output),
            TransposeA = shape.TransposeA,
            TransposeB = shape.TransposeB,
        };
        BackendChecks.MatMul(args);
        GpuPrecision precision = shape.TensorFloat32 ? GpuPrecision.TensorFloat32 : GpuPrecision.Float32;
        GemmTuning? tuning = _products.TryDescribe(args, out GemmProblem problem, out _) ? new GemmTuner(_products.Chooser, _timer).Tune(problem, precision) : null;
        _backend.Synchronize();
        return tuning;
    }

    /// <summary>Random numbers, for a device's clock may depend on how many bits change.</summary>
    private DeviceBuffer Filled(long count, DType type)
    {
        DeviceBuffer buffer = _backend.Allocate(count * type.Size());
        for (long start = 0; start < count; start += Drawn)
        {
            Layout part = Layout.Of((int)Math.Min(Drawn, count - start));
            _backend.Copy(new View(_numbers, 0, part, DType.Float32), new View(buffer, start, part, type));
        }

        return buffer;
    }
}
