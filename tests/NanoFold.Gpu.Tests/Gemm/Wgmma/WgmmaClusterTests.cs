using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Cuda;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;
using NanoFold.Kernels.Gpu.Ptx.Lint;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>Products by warpgroups in clusters of two blocks, which load b for each other.</summary>
[Parallelizable]
internal sealed class WgmmaClusterTests
{
    private static readonly GemmTile s_tile = new(128, 64, 16, 64, 128, 3, 1) { Cluster = 2 };

    [TestCaseSource(nameof(Cases))]
    public void TheProductIsThatOfTheDefinition(object gemm) => ((GemmCase)gemm).Check();

    [Test]
    public void TheBitsAreThoseOfBlocksAlone([Values] bool columnsA, [Values] bool columnsB)
    {
        GemmCase gemm = Case(392, 136, 264) with { ColumnsA = columnsA, ColumnsB = columnsB, Output = GpuType.Float32, Bias = GpuType.Float32, Alpha = 0.7f };
        double[] alone = (gemm with { Tile = s_tile with { Cluster = 1 } }).Run().Y;
        foreach (PtxSchedule schedule in Schedules(2))
        {
            Assert.That((gemm with { Schedule = schedule }).Run().Y, Is.EqualTo(alone), $"{schedule}");
        }
    }

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileWorksAndLanesDoNotMeetInBanks(object gemm) => Assert.That(((GemmCase)gemm).Check(), Is.LessThan(0.02));

    [Test]
    public void TheyAreChosenOnlyWhereTheyWereMeasured()
    {
        var chooser = new GemmChooser(new GemmDeviceClass(90, 132, 228 * 1024, UsesWarpgroups: true));
        GemmProblem problem = Problem(4096);
        GemmChoice first = chooser.Choose(problem, GpuPrecision.Float32), cluster = chooser.Candidates(problem, GpuPrecision.Float32).First(c => c.Tile.Cluster == 2);
        Assert.That(first.Tile.Cluster, Is.EqualTo(1));
        GemmTuning tuning = new GemmTuner(chooser, new Timer(cluster)).Tune(problem, GpuPrecision.Float32)!.Value;
        Assert.That((tuning.Before, tuning.After), Is.EqualTo((first, cluster)));
        Assert.That(chooser.Choose(problem, GpuPrecision.Float32), Is.EqualTo(cluster));
        Assert.That(chooser.Candidates(Problem(128), GpuPrecision.Float32).Any(c => c.Tile.Cluster > 1), Is.False, "of one row of tiles there is nothing to share");
    }

    [Test]
    public void ALaunchSaysHowManyBlocksStartTogether()
    {
        PtxProgram program = WgmmaGemm.Write(new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.BFloat16, AlignA = 16, AlignB = 16, WideY = true }, s_tile);
        LaunchAttribute[] attributes = KernelLaunch.Attributes(program, isEarly: false);
        Assert.That(attributes.Select(a => (a.Id, a.Value, a.Second, a.Third)), Is.EqualTo(new[] { (4, 2, 1, 1) }));
        Assert.That(KernelLaunch.Attributes(program with { Cluster = 1 }, isEarly: true).Select(a => (a.Id, a.Value)), Is.EqualTo(new[] { (6, 1) }));
        Assert.That(program.Text, Does.Contain("\n.reqnctapercluster 2, 1, 1\n"));
    }

    [Test]
    public void TheLintSeesBlocksThatDoNotMeet()
    {
        PtxProgram program = WgmmaGemm.Write(new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.BFloat16, AlignA = 16, AlignB = 16, WideY = true }, s_tile);
        const string Meet = "    barrier.cluster.arrive.release.aligned;\n    barrier.cluster.wait.acquire.aligned;\n";
        int first = program.Text.IndexOf(Meet, StringComparison.Ordinal), last = program.Text.LastIndexOf(Meet, StringComparison.Ordinal);
        Assert.That(Faults(program.Text), Is.Empty);
        Assert.That(Faults(program.Text.Remove(first, Meet.Length)), Has.Some.Contains("another block may not have started"));
        Assert.That(Faults(program.Text.Remove(last, Meet.Length)), Has.Some.Contains("may end while others reach into it"));

        IReadOnlyList<string> Faults(string text) => PtxLint.Check(text, program.Threads, program.SharedBytes).Faults;
    }

    /// <summary>Also with what multiplies in one of the blocks held back, so that the other is as far ahead as it may be.</summary>
    internal static PtxSchedule[] Schedules(int seeds)
        => [.. PtxSchedule.All(seeds), .. from rank in new[] { 0, 1 } from held in new[] { (0, 4), (4, 8), (4, 12) } select new PtxSchedule { Held = held, HeldRank = rank }];

    private static GemmCase Case(int m, int n, int k) => new(GemmFamily.Wgmma, s_tile, GpuType.BFloat16, m, n, k) { ColumnsB = true, Multiprocessors = 2 };

    private static GemmProblem Problem(int rows) => new()
    {
        Input = GpuType.BFloat16, Output = GpuType.BFloat16, M = rows, N = 1024, K = 1024, InnerCount = 1, OuterCount = 1, StrideA = 2048, StrideB = 2048, StrideY = 2048,
    };

    private static IEnumerable<GemmCase> Cases()
    {
        foreach ((bool a, bool b) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            foreach (PtxSchedule schedule in Schedules(2).Where((_, i) => i % 3 == 0))
            {
                yield return Case(256, 128, 256) with { ColumnsA = a, ColumnsB = b, Schedule = schedule };
            }

            // Three rows of tiles, of which the last is a block's that has none beneath it; two clusters at once.
            yield return Case(300, 136, 200) with { ColumnsA = a, ColumnsB = b, PadA = a ? 4 : 0, Multiprocessors = 5, Schedule = new() { Resident = 4, Seed = 3 } };
            yield return Case(136, 72, 40) with { ColumnsA = a, ColumnsB = b, Input = GpuType.Float16, Residual = GpuType.Float16 };
            yield return Case(130, 91, 64) with { ColumnsA = a, ColumnsB = b, PadA = a ? 6 : 0, PadB = b ? 0 : 5, PadY = 5, Accumulate = true, Output = GpuType.Float32 };
        }
    }

    private static IEnumerable<GemmCase> Tiles()
        => from tile in GemmTiles.Clusters
           from a in new[] { false, true }
           from b in new[] { false, true }
           from output in new[] { GpuType.BFloat16, GpuType.Float32 }
           where new WgmmaLayout(new GemmSpec { Input = GpuType.BFloat16, Output = output, AlignA = 16, AlignB = 16, WideY = true }, tile).SharedBytes <= 227 * 1024
           select new GemmCase(GemmFamily.Wgmma, tile, GpuType.BFloat16, 2 * tile.M, tile.N, 64 * (tile.Stages + 1)) { ColumnsA = a, ColumnsB = b, Output = output, Schedule = new() { LastWarpFirst = b } };

    private sealed class Timer(GemmChoice fast) : IGemmTimer
    {
        public double Seconds(in GemmProblem problem, in GemmChoice choice) => choice == fast ? 1 : 2;
    }
}
