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
    public Twin Random(DType type, int seed, params ReadOnlySpan<int> shape) => Normal(type, seed, 1, shape);

    /// <summary>As above, of a standard deviation.</summary>
    public Twin Normal(DType type, int seed, double deviation, params ReadOnlySpan<int> shape)
    {
        View view = _gpu.Normal(type, seed, deviation, shape);
        return new(view, _cpu.New(DType.Float32, shape, _gpu.Read(view)));
    }

    public Twin New(DType type, ReadOnlySpan<int> shape, ReadOnlySpan<float> values)
    {
        View view = _gpu.New(type, shape, values);
        return new(view, _cpu.New(DType.Float32, shape, _gpu.Read(view)));
    }

    public Twin Integers(ReadOnlySpan<int> shape, ReadOnlySpan<int> values) => new(_gpu.Integers(shape, values), _cpu.Integers(shape, values));

    /// <summary>Memory of as many bytes as each backend asks for.</summary>
    public Twin Scratch(long gpuBytes, long cpuBytes) =>
        new(_gpu.New(DType.Float32, (int)(gpuBytes + 3) / 4 + 1), _cpu.New(DType.Float32, (int)(cpuBytes + 3) / 4 + 1));

    public float[] Read(in Twin twin) => _gpu.Read(twin.Gpu);

    /// <param name="twin">A whole tensor: what a call does not write is the same in both, too.</param>
    /// <param name="tolerance">Relative to the largest magnitude.</param>
    /// <param name="message">What it is.</param>
    /// <param name="least">The largest magnitude is taken to be this at least: where large terms leave a small result.</param>
    public void AssertClose(in Twin twin, double tolerance, string message = "", double least = 1e-3)
    {
        float[] actual = _gpu.Read(twin.Gpu), expected = _cpu.Read(twin.Cpu);
        double most = Math.Max(least, expected.Where(float.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max());
        for (int i = 0; i < actual.Length; i++)
        {
            if (!actual[i].Equals(expected[i]) && !(Math.Abs((double)actual[i] - expected[i]) <= tolerance * most))
            {
                Assert.Fail($"{message} {twin.Gpu}[{i}] is {actual[i]}, expected {expected[i]} within {tolerance} of {most}");
            }
        }
    }

    public void AssertSame(in Twin twin, string message = "") => Assert.That(_gpu.Read(twin.Gpu), Is.EqualTo(_cpu.Read(twin.Cpu)), message);

    public void Dispose()
    {
        _gpu.Dispose();
        _cpu.Dispose();
    }
}
