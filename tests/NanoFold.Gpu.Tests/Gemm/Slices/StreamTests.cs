using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Slices;

/// <summary>Products whose blocks have equal shares of the steps of all tiles' depths.</summary>
[Parallelizable]
internal sealed class StreamTests
{
    private static readonly GemmTile s_tile = new(128, 64, 16, 64, 128, 2, 1) { IsStream = true };

    private static readonly GemmCase s_case = new(GemmFamily.Wgmma, s_tile, GpuType.BFloat16, 200, 136, 264) { ColumnsB = true };

    /// <summary>Of more blocks than tiles, and of fewer; a block's share may lie within a tile, and go over several.</summary>
    [Test]
    public void TheProductIsThatOfTheDefinition([Values(1, 3, 5, 16)] int multiprocessors, [Values(40, 200, 520)] int depth)
        => (s_case with { Multiprocessors = multiprocessors, K = depth, Times = 1 }).Check();

    [Test]
    public void TheOrderChangesNoBit([Values(3, 7)] int multiprocessors, [Values] bool hasResidual)
    {
        GemmCase product = s_case with { Multiprocessors = multiprocessors, Residual = hasResidual ? GpuType.BFloat16 : null, Bias = GpuType.Float32, Times = 2 };
        double[] first = product.Run().Y;
        foreach (PtxSchedule schedule in SliceTests.Schedules(2))
        {
            Assert.That((product with { Schedule = schedule }).Run().Y, Is.EqualTo(first), $"{schedule}");
        }
    }

    [Test]
    public void WholeTilesHaveTheBitsOfOthers()
    {
        // As many blocks as tiles.
        GemmCase product = s_case with { Output = GpuType.Float32 }, plain = product with { Tile = product.Tile with { IsStream = false } };
        int tiles = Ceil(product.M, product.Tile.M) * Ceil(product.N, product.Tile.N);
        Assert.That((product with { Multiprocessors = tiles }).Run().Y, Is.EqualTo(plain.Run().Y));
    }

    [Test]
    public void InClustersToo()
    {
        GemmCase product = s_case with { Tile = s_tile with { Cluster = 2 }, M = 300, Multiprocessors = 6, Times = 1 };
        product.Check();
        Assert.That((product with { Schedule = new() { Resident = 4, Seed = 2 } }).Run().Y, Is.EqualTo(product.Run().Y));
    }

    [Test]
    public void TheyAreChosenOnlyWhereTheyWereMeasured()
    {
        var chooser = new GemmChooser(new GemmDeviceClass(90, 132, 228 * 1024, UsesWarpgroups: true));
        var problem = new GemmProblem
        {
            Input = GpuType.BFloat16, Output = GpuType.BFloat16, M = 1024, N = 1024, K = 4096, InnerCount = 1, OuterCount = 1, StrideA = 8192, StrideB = 2048, StrideY = 2048,
        };
        Assert.That(chooser.Choose(problem, GpuPrecision.Float32).Tile.IsStream, Is.False);
        Assert.That(chooser.Candidates(problem, GpuPrecision.Float32).Where(c => c.Tile.IsStream).Select(c => c.Slices), Is.Not.Empty.And.All.EqualTo(1));
    }

    private static int Ceil(int a, int b) => (a + b - 1) / b;
}
