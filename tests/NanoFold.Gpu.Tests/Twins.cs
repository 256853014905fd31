using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests;

/// <summary>A tensor on the GPU and one of the same values on the CPU, there in single precision.</summary>
internal readonly record struct Twin(View Gpu, View Cpu)
{
    /// <summary>The same part of both.</summary>
    public Twin With(in Layout layout, long offset = 0) => new(Gpu.With(layout, offset), Cpu.With(layout, offset));
}

/// <summary>Allocates twins and compares them.</summary>
internal sealed class Twins(Backend gpu, Backend cpu) : IDisposable
{
    private readonly Memory _gpu = new(gpu);
    private readonly Memory _cpu = new(cpu);

    /// <summary>Normal numbers, as the type rounds them.</summary>
    public Twin Random(DType type, int seed, params ReadOnlySpan<int> shape)
    {
        View view = _gpu.Random(type, seed, shape);
        return new(view, _cpu.New(DType.Float32, shape, _gpu.Read(view)));
    }

    public Twin Of(DType type, ReadOnlySpan<int> shape, ReadOnlySpan<float> values)
    {
        View view = _gpu.New(type, shape, values);
        return new(view, _cpu.New(DType.Float32, shape, _gpu.Read(view)));
    }

    public Twin Integers(params ReadOnlySpan<int> values) => new(_gpu.Integers([values.Length], values), _cpu.Integers([values.Length], values));

    /// <summary>Memory of as many bytes as each backend asks for.</summary>
    public Twin Scratch(long gpuBytes, long cpuBytes) =>
        new(_gpu.New(DType.Float32, (int)(gpuBytes + 3) / 4 + 1), _cpu.New(DType.Float32, (int)(cpuBytes + 3) / 4 + 1));

    public float[] Read(in Twin twin) => _gpu.Read(twin.Gpu);

    /// <summary>All of two contiguous tensors: what a call does not write is the same in both, too.</summary>
    /// <param name="twin">Both.</param>
    /// <param name="tolerance">Relative to the largest magnitude.</param>
    /// <param name="name">For the message.</param>
    /// <param name="least">The largest magnitude is taken to be this at least: where large terms leave a small result.</param>
    public void AssertSame(in Twin twin, double tolerance, string name, double least = 0)
    {
        float[] actual = _gpu.Read(twin.Gpu), expected = _cpu.Read(twin.Cpu);
        double most = Math.Max(least, expected.Where(float.IsFinite).Select(v => Math.Abs((double)v)).DefaultIfEmpty(0).Max());
        for (int i = 0; i < actual.Length; i++)
        {
            if (!actual[i].Equals(expected[i]) && !(Math.Abs((double)actual[i] - expected[i]) <= tolerance * most))
            {
                Assert.Fail($"{name} {twin.Gpu}[{i}] is {actual[i]}, expected {expected[i]} within {tolerance} of {most}");
            }
        }
    }

    public void Dispose()
    {
        _gpu.Dispose();
        _cpu.Dispose();
    }
}
