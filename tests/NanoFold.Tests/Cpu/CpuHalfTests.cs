using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Lanes;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu;

/// <summary>The CPU has no kernels for types of 16 bits, but for widening weights, and copies them as they are: every other call says so.</summary>
public sealed class CpuHalfTests : CpuTests
{
    private static readonly Action<CpuBackend, Func<int[], View>, Func<int[], View>>[] s_calls =
    [
        (cpu, half, _) => cpu.Fill(half([3]), 1),
        (cpu, half, single) => cpu.Copy(single([3]), half([3])),
        (cpu, half, _) => cpu.Map(default(Negate), half([3]), half([3])),
        (cpu, half, single) => cpu.Sum(half([3, 4]), single([1, 4])),
        (cpu, half, _) => cpu.MatMul(new() { A = half([2, 3]), B = half([3, 4]), Y = half([2, 4]) }),
        (cpu, half, single) => cpu.MatMul(new() { A = half([2, 3]), B = half([3, 4]), Y = single([2, 4]) }),
        (cpu, half, _) => cpu.Softmax(half([2, 3]), half([2, 3]), 1, default),
        (cpu, half, single) => cpu.Run(new RmsNormCall(half([2, 3]), half([3]), half([2, 3]), single([2, 1]), 1e-6)),
    ];

    [Test]
    public void EveryCallIsRefused([Values(DType.BFloat16, DType.Float16)] DType type)
    {
        using var cpu = new CpuBackend(1);
        using DeviceBuffer buffer = cpu.Allocate(4096);
        Assert.That((cpu.Supports(type), cpu.Supports(DType.Float32), cpu.HasTensorFloat32), Is.EqualTo((false, true, false)));
        foreach (Action<CpuBackend, Func<int[], View>, Func<int[], View>> call in s_calls)
        {
            Assert.That(
                () => call(cpu, shape => new View(buffer, 0, Layout.Of(shape), type), shape => new View(buffer, 256, Layout.Of(shape), DType.Float32)),
                Throws.InstanceOf<NotSupportedException>().With.Message.EqualTo($"cpu: has no kernels for {type}; it computes in Float32 and Float64"));
        }
    }

    [Test]
    public void TheyAreCopiedAsTheyAre([Values(DType.BFloat16, DType.Float16)] DType type)
    {
        using var cpu = new CpuBackend(1);
        using DeviceBuffer buffer = cpu.Allocate(4096);
        View x = new(buffer, 0, Layout.Of(3, 5), type), y = new(buffer, 64, Layout.Of(3, 5), type);
        cpu.Upload<ushort>([.. Enumerable.Range(0, 15).Select(i => (ushort)(i * 4321))], x);
        cpu.Copy(x, y);
        ushort[] copied = new ushort[16];
        cpu.Download(y.With(Layout.Of(16), 0), copied.AsSpan());
        Assert.That(copied, Is.EqualTo(Enumerable.Range(0, 15).Select(i => (ushort)(i * 4321)).Append((ushort)0)));
    }

    [Test]
    public void TypesOfOneCallMustFit()
    {
        using var cpu = new CpuBackend(1);
        using DeviceBuffer buffer = cpu.Allocate(4096);
        View Of(DType type, params int[] shape) => new(buffer, 0, Layout.Of(shape), type);
        Assert.Multiple(() =>
        {
            Assert.That(() => cpu.Copy(Of(DType.Float64, 3), Of(DType.BFloat16, 3)), Throws.ArgumentException.With.Message.EqualTo("copy: x is Float64[3], y is BFloat16[3], expected one type, or two of Float32, BFloat16 and Float16"));
            Assert.That(() => cpu.Sum(Of(DType.Float16, 3), Of(DType.Float16, 1)), Throws.ArgumentException.With.Message.EqualTo("sum: y is Float16[1], expected Float32 for sums of Float16[3]"));
            Assert.That(() => cpu.Map(default(Negate), Of(DType.Float16, 3), Of(DType.Float32, 3)), Throws.ArgumentException.With.Message.Contains("expected Float32"));
            Assert.That(
                () => cpu.MatMul(new() { A = Of(DType.BFloat16, 2, 2), B = Of(DType.BFloat16, 2, 2), Y = Of(DType.Float16, 2, 2) }),
                Throws.ArgumentException.With.Message.EqualTo("matmul: y is Float16[2, 2], expected BFloat16 or Float32 as BFloat16[2, 2] is"));
            Assert.That(
                () => cpu.MatMul(new() { A = Of(DType.BFloat16, 2, 2), B = Of(DType.BFloat16, 2, 2), Y = Of(DType.Float32, 2, 2), Bias = Of(DType.Float32, 2) }),
                Throws.ArgumentException.With.Message.Contains("expected one type where there is a bias or a residual"));
            Assert.That(
                () => cpu.ScatterAdd(Of(DType.BFloat16, 2, 2), Of(DType.Int32, 2), Of(DType.Float16, 2, 2)),
                Throws.ArgumentException.With.Message.EqualTo("scatter-add: table is Float16[2, 2], expected BFloat16 or Float32 as BFloat16[2, 2] is"));
        });
    }

    private readonly struct Negate : IUnaryOp
    {
        public V Invoke<V>(V x)
            where V : struct, ILane<V>
            => -x;
    }
}
