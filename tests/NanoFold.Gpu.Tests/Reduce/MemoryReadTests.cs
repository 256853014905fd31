using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Reduce;

public class MemoryReadTests : GpuTests
{
    [Test]
    public void TheSumIsThatOfAllElements([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type)
    {
        foreach (int count in IsSimulated ? new[] { 1, 6, 700 } : [1, 6, 700, 1 << 22, (1 << 24) + 5])
        {
            using var memory = new Memory(Gpu);
            View x = memory.Random(type, 1, count);
            double expected = memory.Read(x).Sum(v => (double)v);
            View sum = memory.New(DType.Float32, 1);
            Gpu.Run(new MemoryReadCall(x, sum));
            Assert.That(memory.Read(sum)[0], Is.EqualTo(expected).Within(1e-6 * count));
        }
    }
}
