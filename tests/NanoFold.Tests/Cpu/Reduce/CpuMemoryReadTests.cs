using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Memory;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.Reduce;

public class CpuMemoryReadTests : CpuTests
{
    [TestCaseSource(nameof(Paths))]
    public void EveryElementIsReadOnce(Isa isa, DType type)
    {
        // Beyond one work item, and ends that do not fill a lane.
        foreach (int threads in new[] { 1, 3 })
        {
            using var backend = new CpuBackend(threads, isa);
            using var memory = new NativeBuffer(sizeof(float));
            var sum = new View(memory, 0, Layout.Of(1), DType.Float32);
            foreach (int n in Lengths.Append((1 << 18) + 77))
            {
                using DeviceBuffer buffer = backend.Allocate((long)n * type.Size());
                var x = new View(buffer, 0, Layout.Of(n), type);
                backend.Fill(x, 1);
                backend.Fill(x.With(Layout.Of(1), n - 1), 4);
                backend.Run(new MemoryReadCall(x, sum));
                var result = new float[1];
                backend.Download<float>(sum, result);
                Assert.That(result[0], Is.EqualTo(n + 3), $"{n} elements, {threads} threads");
            }
        }
    }

    [Test]
    public void StridesAreRefused()
    {
        using var backend = new CpuBackend(1);
        using DeviceBuffer buffer = backend.Allocate(64);
        var x = new View(buffer, 0, Layout.Of(4, 4).Slice(1, 0, 2, out _), DType.Float32);
        Assert.That(() => backend.Run(new MemoryReadCall(x, x)), Throws.ArgumentException.With.Message.StartsWith("memory-read: x is "));
    }
}
