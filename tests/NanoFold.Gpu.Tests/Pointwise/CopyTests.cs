using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests.Pointwise;

public class CopyTests : GpuTests
{
    private static readonly DType[] s_types = [DType.Float32, DType.BFloat16, DType.Float16];

    // 32 elements go in fours, 33 one by one; from the fourth element on they are aligned, from the third on they are not.
    [Test]
    public void RangesAreConverted(
        [ValueSource(nameof(s_types))] DType from, [ValueSource(nameof(s_types))] DType to, [Values(32, 33)] int count, [Values(4, 3)] int offset, [Values] bool accumulate)
    {
        using var memory = new Memory(Gpu);
        View x = memory.Random(from, 1, 40), y = memory.Random(to, 2, 40), expected = memory.New(to, 40);
        float[] values = memory.Read(x), sums = memory.Read(y);
        for (int i = offset; i < offset + count; i++)
        {
            sums[i] = accumulate ? sums[i] + values[i] : values[i];
        }

        memory.Write(expected, sums);
        Gpu.Copy(x.With(Layout.Of(count), offset), y.With(Layout.Of(count), offset), accumulate);
        // The simulator cuts half precision off where devices round it.
        double tolerance = to == DType.Float16 && IsSimulated ? 1e-3 : 0;
        float[] actual = memory.Read(y), wanted = memory.Read(expected);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.That(actual[i], Is.EqualTo(wanted[i]).Within(tolerance * Math.Abs(wanted[i])), $"[{i}]");
        }
    }
}
