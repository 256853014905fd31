using NanoFold.Kernels;

namespace NanoFold.Gpu.Tests.Reduce;

public class SumTests : GpuTests
{
    private static (int[] X, int[] Y)[] Cases =>
    [
        ([6], [1]), ([700], []), ([3, 40], [3, 1]), ([40, 3], [3]), ([50, 12], [12]), ([2000, 8], [1, 8]), ([45, 7], [1, 7]), ([2, 40, 4], [2, 1, 4]), ([5, 3, 40], [3, 1]), ([33, 2, 6], [1, 2, 1]), ([4, 5], [4, 5]),
        .. IsSimulated ? Array.Empty<(int[], int[])>() : [([5000, 768], [768]), ([3001, 771], [771]), ([4096, 1000], [4096, 1]), ([1 << 20], []), ([64, 1000, 33], [1, 1, 33]), ([8, 100, 12, 64], [8, 1, 12, 1])],
    ];

    [Test]
    public void SumsAreThoseOfTheCpu([Values(DType.Float32, DType.BFloat16, DType.Float16)] DType type)
    {
        foreach ((int[] shape, int[] result) in IsSimulated && type != DType.Float32 ? Cases.Skip(3).Take(3) : Cases)
        {
            using var twins = new Twins(Gpu, Cpu);
            Twin x = twins.Random(type, 1, shape), y = twins.Random(DType.Float32, 2, result);
            foreach (bool accumulate in new[] { false, true })
            {
                Gpu.Sum(x.Gpu, y.Gpu, accumulate);
                Cpu.Sum(x.Cpu, y.Cpu, accumulate);
                twins.AssertClose(y, 1e-5, $"{x.Layout}");
            }
        }
    }

    [Test]
    public void StridedOperands()
    {
        using var twins = new Twins(Gpu, Cpu);
        Twin x = twins.Random(DType.Float32, 1, 3, 50, 12), y = twins.Random(DType.Float32, 2, 12, 5);
        Twin column = y.Slice(1, 1, 1);
        foreach ((Twin from, Twin to) in new[] { (x.Permute(2, 1, 0).Slice(2, 1, 2), column.With(column.Layout.SplitLast(1))), (x.Slice(1, 3, 40).Slice(2, 4, 5), y.Slice(0, 2, 1)) })
        {
            Gpu.Sum(from.Gpu, to.Gpu);
            Cpu.Sum(from.Cpu, to.Cpu);
            twins.AssertClose(y, 1e-5);
        }
    }
}
