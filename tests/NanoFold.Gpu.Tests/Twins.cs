using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests;

/// <summary>Makes tensors on both backends and compares them. Whole tensors are compared, so that what a call must not touch is looked at too.</summary>
internal sealed class Twins(Backend gpu, Backend cpu) : IDisposable
{
    private readonly Memory _gpu = new(gpu), _cpu = new(cpu);

    /// <summary>No tensor.</summary>
    public static Twin None => default;

    /// <summary>Largest error of a type, relative to the largest magnitude.</summary>
    public static double Tolerance(DType type) => type switch
    {
        DType.BFloat16 => 1e-2,
        DType.Float16 => 2e-3,
        _ => 1e-5,
    };

    /// <summary>Normal numbers, rounded to the type on both sides.</summary>
    public Twin Random(DType type, int seed, params ReadOnlySpan<int> shape)
    {
        View view = _gpu.Random(type, seed, shape);
        return new(view, _cpu.New(DType.Float32, shape, _gpu.Read(view)));
    }

    public Twin New(DType type, ReadOnlySpan<int> shape, ReadOnlySpan<float> values)
    {
        View view = _gpu.New(type, shape, values);
        return new(view, _cpu.New(DType.Float32, shape, _gpu.Read(view)));
    }

    public Twin Integers(ReadOnlySpan<int> shape, ReadOnlySpan<int> values) => new(_gpu.Integers(shape, values), _cpu.Integers(shape, values));

    public float[] Read(in Twin x) => _gpu.Read(x.Gpu);

    /// <param name="x">A whole tensor.</param>
    public void AssertClose(in Twin x, double tolerance, string message = "")
    {
        float[] actual = _gpu.Read(x.Gpu), expected = _cpu.Read(x.Cpu);
        double largest = Math.Max(1e-3, expected.Max(v => float.IsFinite(v) ? Math.Abs(v) : 0));
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.That(actual[i], float.IsFinite(expected[i]) ? Is.EqualTo(expected[i]).Within(tolerance * largest) : Is.EqualTo(expected[i]), $"{message} {x.Gpu} [{i}]");
        }
    }

    public void AssertSame(in Twin x, string message = "") =>
        Assert.That(_gpu.Read(x.Gpu), Is.EqualTo(_cpu.Read(x.Cpu)), message);

    public void Dispose()
    {
        _gpu.Dispose();
        _cpu.Dispose();
    }
}
