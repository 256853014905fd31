using NanoFold.Gpu.Tests.Attention;
using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu;
using NanoFold.Kernels.Lanes;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.OpenCl;

/// <summary>A kernel of each kind on an OpenCL device, where the system has one that can be used.</summary>
[Category(OpenClDevice.Category)]
public sealed class OpenClDeviceTests
{
    private readonly CpuBackend _cpu = new(1);
    private GpuBackend? _gpu;

    [OneTimeSetUp]
    public void Open() => _gpu = OpenClDevice.Open();

    [OneTimeTearDown]
    public void Close()
    {
        _gpu?.Dispose();
        _cpu.Dispose();
    }

    [Test]
    public void FormulasAndSums()
    {
        using var twins = new Twins(_gpu!, _cpu);
        Twin x = twins.Random(DType.Float32, 1, 40, 12), y = twins.Random(DType.Float32, 2, 40, 12), sum = twins.Random(DType.Float32, 3, 1, 12);
        Each((backend, of) => backend.Zip(default(Scaled), of(x), of(y), of(y)));
        Each((backend, of) => backend.Sum(of(y), of(sum)));
        Each((backend, of) => backend.Softmax(of(x), of(x), 0.5, default));
        twins.AssertClose(y, 1e-5);
        twins.AssertClose(sum, 1e-5);
        twins.AssertClose(x, 1e-5);
    }

    [Test]
    public void Norms()
    {
        using var twins = new Twins(_gpu!, _cpu);
        Twin x = twins.Random(DType.Float32, 1, 9, 36), gain = twins.Random(DType.Float32, 2, 36), y = twins.Random(DType.Float32, 3, 9, 36);
        Twin statistics = twins.Random(DType.Float32, 4, 9, 1);
        Each((backend, of) => backend.Run(new RmsNormCall(of(x), of(gain), of(y), of(statistics), 1e-5)));
        twins.AssertClose(y, 1e-5);
        twins.AssertClose(statistics, 1e-5);
    }

    [Test]
    public void Products([Values(3, 70)] int rows)
    {
        using var twins = new Twins(_gpu!, _cpu);
        Twin a = twins.Random(DType.Float32, 1, rows, 33), b = twins.Random(DType.Float32, 2, 33, 65), y = twins.Random(DType.Float32, 3, rows, 65);
        Each((backend, of) => backend.MatMul(new MatMulArgs { A = of(a), B = of(b), Y = of(y) }));
        twins.AssertClose(y, 1e-5);
    }

    [Test]
    public void Attention()
    {
        if (_gpu!.Find<AttentionCall>() is null)
        {
            Assert.Ignore("attention is composed on this device");
        }

        using var gpu = new AttentionRig(_gpu, new(2, 19, 2, 1, 8), DType.Float32);
        using var cpu = new AttentionRig(_cpu, new(2, 19, 2, 1, 8), DType.Float32);
        float[][] actual = gpu.Run(), expected = cpu.Run();
        for (int i = 0; i < actual.Length; i++)
        {
            Near.Assert($"result {i}", actual[i], expected[i], 3e-5);
        }
    }

    private void Each(Action<Backend, Func<Twin, View>> call)
    {
        call(_gpu!, twin => twin.Gpu);
        call(_cpu, twin => twin.Cpu);
    }

    internal readonly struct Scaled : IBinaryOp
    {
        public V Invoke<V>(V a, V b)
            where V : struct, ILane<V>
            => V.Exp(a) * b;
    }
}
