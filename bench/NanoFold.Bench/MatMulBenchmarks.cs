using BenchmarkDotNet.Attributes;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Memory;

namespace NanoFold.Bench;

/// <summary>The three products of a linear layer, and decoding: one row.</summary>
[MemoryDiagnoser]
public class MatMulBenchmarks
{
    private CpuContext _context = null!;
    private CpuMatMul _matMul = null!;
    private View _x;
    private View _w;
    private View _y;
    private View _row;
    private View _result;

    /// <summary>Rows, outputs, inputs: presets nano and small.</summary>
    [Params("768,344,128", "768,128,344", "2048,384,384", "2048,1024,384", "2048,384,1024")]
    public string Shape { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] shape = [.. Shape.Split(',').Select(int.Parse)];
        _context = new CpuContext(1, IsaExtensions.Best);
        _matMul = new CpuMatMul(_context);
        _x = Random(shape[0], shape[2]);
        _w = Random(shape[1], shape[2]);
        _y = Random(shape[0], shape[1]);
        _row = _x.With(Layout.Of(1, shape[2]));
        _result = _y.With(Layout.Of(1, shape[1]));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _context.Dispose();
        foreach (View view in new[] { _x, _w, _y })
        {
            view.Buffer.Dispose();
        }
    }

    [Benchmark]
    public void Forward() => _matMul.MatMul(new MatMulArgs { A = _x, B = _w, Y = _y, TransposeB = true });

    [Benchmark]
    public void InputGradient() => _matMul.MatMul(new MatMulArgs { A = _y, B = _w, Y = _x });

    [Benchmark]
    public void WeightGradient() => _matMul.MatMul(new MatMulArgs { A = _y, B = _x, Y = _w, TransposeA = true });

    [Benchmark]
    public void OneRow() => _matMul.MatMul(new MatMulArgs { A = _row, B = _w, Y = _result, TransposeB = true });

    private static View Random(int rows, int columns)
    {
        var random = new Random(1);
        var buffer = new NativeBuffer((long)rows * columns * sizeof(float));
        foreach (ref float value in buffer.Span<float>())
        {
            value = random.NextSingle() - 0.5f;
        }

        return new View(buffer, 0, Layout.Of(rows, columns), DType.Float32);
    }
}
