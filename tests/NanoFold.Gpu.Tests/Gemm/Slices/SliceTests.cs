using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Slices;

/// <summary>Products whose depth is split and added by the last block of a tile: the bits of two launches, whoever comes last and however often.</summary>
[Parallelizable]
internal sealed class SliceTests
{
    private static readonly GemmTile s_mma = new(64, 64, 32, 32, 64, 3, 0), s_wgmma = new(128, 64, 16, 64, 128, 2, 1);

    [TestCaseSource(nameof(Products))]
    public void TheBitsAreThoseOfTwoLaunches(object gemm)
    {
        var product = (GemmCase)gemm;
        double[] apart = (product with { AddsSlicesApart = true, Times = 2 }).Run().Y;
        foreach (PtxSchedule schedule in Schedules(1))
        {
            Assert.That((product with { Schedule = schedule, Times = 2 }).Run().Y, Is.EqualTo(apart), $"{schedule}");
        }
    }

    [TestCaseSource(nameof(Products))]
    public void TheProductIsThatOfTheDefinition(object gemm) => ((GemmCase)gemm).Check();

    [TestCaseSource(nameof(ByWarpgroups))]
    public void ByWarpgroupsToo(object gemm)
    {
        var product = (GemmCase)gemm;
        product.Check();
        double[] first = product.Run().Y;
        foreach (PtxSchedule schedule in Schedules(2))
        {
            Assert.That((product with { Schedule = schedule, Multiprocessors = 1 + schedule.Seed ?? 5 }).Run().Y, Is.EqualTo(first), $"{schedule}");
        }
    }

    /// <summary>What products of each slice alone give, added in their order.</summary>
    [TestCase(1)]
    [TestCase(2)]
    public void SlicesByWarpgroupsAreAddedInTheirOrder(int cluster)
    {
        const int M = 136, N = 72, Slice = 128, Slices = 3, K = Slices * Slice - 40;
        using var device = new MachineDevice { Multiprocessors = 4, Schedule = new() { Resident = 4, Seed = 5 } };
        var random = new Random(3);
        Matrices a = new(device, random, GpuType.BFloat16, 1, M, K, 0, 0), b = new(device, random, GpuType.BFloat16, 1, N, K, 0, 0);
        var sums = new float[M * N];
        GemmTile tile = s_wgmma with { Cluster = cluster };
        for (int slice = 0; slice < Slices; slice++)
        {
            double[] part = Run(slice * Slice, Math.Min(Slice, K - slice * Slice), 1);
            for (int i = 0; i < sums.Length; i++)
            {
                sums[i] += (float)part[i];
            }
        }

        Assert.That(Run(0, K, Slices), Is.EqualTo(sums.Select(sum => (double)sum)));
        Assert.That(device.AreCountersZero);

        double[] Run(int from, int depth, int slices)
        {
            var y = new Matrices(device, random, GpuType.Float32, 1, M, N, 0, 0);
            var problem = new GemmProblem
            {
                A = a.Address + 2 * from, B = b.Address + 2 * from, Y = y.Address, StrideA = a.RowBytes, StrideB = b.RowBytes, StrideY = y.RowBytes, M = M, N = N, K = depth, OuterCount = 1, InnerCount = 1,
                Input = GpuType.BFloat16, Output = GpuType.Float32, ColumnsB = true, Alpha = 1,
            };
            GemmRun.Run(device, problem, new GemmChoice(GemmFamily.Wgmma, tile, slices));
            return y.Read();
        }
    }

    /// <summary>With few and with all blocks at once, in several orders.</summary>
    internal static IEnumerable<PtxSchedule> Schedules(int seeds)
        => PtxSchedule.All(seeds).SelectMany(schedule => new[] { 1, 2, 99 }.Select(resident => schedule with { Resident = resident })).Where(schedule => schedule.Completion != PtxCompletion.Earliest || schedule.Resident != 2);

    private static IEnumerable<GemmCase> Products()
    {
        foreach (GpuType type in Enum.GetValues<GpuType>())
        {
            yield return new GemmCase(GemmFamily.Mma, s_mma, type, 70, 90, 200) { Slices = 3, ColumnsB = true, PadY = 6, Bias = type, Alpha = 0.7f };
        }

        var product = new GemmCase(GemmFamily.Mma, s_mma, GpuType.BFloat16, 70, 64, 330);
        yield return product with { Slices = 5, Residual = GpuType.BFloat16, Bias = GpuType.Float32 };
        yield return product with { Slices = 2, Accumulate = true, Output = GpuType.Float32, ColumnsA = true };
        yield return product with { Slices = 4, PadA = 1, PadB = 3, PadY = 1, N = 37, Shift = 1, Residual = GpuType.BFloat16 };
        yield return product with { Slices = 3, Architecture = 90, StartsEarly = true };
    }

    private static IEnumerable<GemmCase> ByWarpgroups()
    {
        var product = new GemmCase(GemmFamily.Wgmma, s_wgmma, GpuType.BFloat16, 200, 136, 392) { ColumnsB = true, Slices = 3, Multiprocessors = 3 };
        yield return product;
        yield return product with { Residual = GpuType.BFloat16, Bias = GpuType.BFloat16, M = 130, N = 72 };
        yield return product with { Accumulate = true, Output = GpuType.Float32, ColumnsA = true, ColumnsB = false, Slices = 5 };
        yield return product with { Tile = s_wgmma with { Cluster = 2 }, M = 264, N = 72, Slices = 2 };
    }
}
