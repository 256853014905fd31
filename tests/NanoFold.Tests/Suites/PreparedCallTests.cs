using NanoFold.Engine.Benchmarks;
using NanoFold.Engine.Ops;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Tests.Suites;

/// <summary>A call that was made ready does what the call itself does, to the bit.</summary>
public class PreparedCallTests
{
    private static readonly string[] s_ready = ["linear", "embedding", "add", "rms-norm", "layer-norm", "rope", "silu", "sigmoid", "silu-gated"];

    [Test]
    public void EveryOpDoesTheSameReadyMade([Values(Isa.Scalar, Isa.Vector256, Isa.Vector512)] Isa isa, [Values(DType.Float32, DType.Float64)] DType type)
    {
        using var backend = new CpuBackend(2, isa);
        // Around the same backend one that notes every call, and so makes none ready.
        using var each = new ProfiledBackend(backend, new EventLog(1));
        var seen = new HashSet<string>();
        foreach (OpCase opCase in OpCases.All)
        {
            using var ready = new OpRunner(opCase, backend, type);
            string[] names = [.. ready.Prepared];
            if (names.Length == 0)
            {
                continue;
            }

            seen.UnionWith(names);
            using var called = new OpRunner(opCase, each, type);
            ready.Run();
            ready.Forward();
            called.Run();
            Assert.That(called.Prepared, Is.Empty);
            Numbers.AssertSameBits(ready.Output(), called.Output(), opCase.Name);
        }

        Assert.That(s_ready.Except(seen), Is.Empty, "are not made ready");
    }

    [Test]
    public void ContentsAreLookedAtAtEveryRun()
    {
        using var backend = new CpuBackend(1);
        using DeviceBuffer memory = backend.Allocate(1024);
        View table = new(memory, 0, Layout.Of(3, 4), DType.Float32), ids = new(memory, 16, Layout.Of(1), DType.Int32), row = new(memory, 32, Layout.Of(1, 4), DType.Float32);
        View y = new(memory, 64, Layout.Of(1, 3), DType.Float32);
        backend.Upload<float>([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], table);
        PreparedCall gather = backend.PrepareGather(table, ids, row)!;
        PreparedCall product = backend.PrepareMatMul(new MatMulArgs { A = row, B = table, TransposeB = true, Y = y })!;
        foreach ((int id, float[] expected) in new (int, float[])[] { (0, [30, 70, 110]), (2, [110, 278, 446]), (-1, [0, 0, 0]) })
        {
            backend.Upload<int>([id], ids);
            gather.Run();
            product.Run();
            float[] values = new float[3];
            backend.Download<float>(y, values);
            Assert.That(values, Is.EqualTo(expected), $"row {id}");
        }

        backend.Upload<int>([3], ids);
        Assert.That(gather.Run, Throws.ArgumentException.With.Message.EqualTo("gather: id 3 at 0 is outside [0, 3)"));
    }

    [Test]
    public void OperandsAreCheckedWhenACallIsMadeReady()
    {
        using var backend = new CpuBackend(1);
        using DeviceBuffer memory = backend.Allocate(1024);
        View a = new(memory, 0, Layout.Of(1, 4), DType.Float32), b = new(memory, 0, Layout.Of(3, 5), DType.Float32), y = new(memory, 64, Layout.Of(1, 3), DType.Float32);
        Assert.That(() => backend.PrepareMatMul(new MatMulArgs { A = a, B = b, TransposeB = true, Y = y }), Throws.ArgumentException.With.Message.StartsWith("matmul: "));
    }
}
