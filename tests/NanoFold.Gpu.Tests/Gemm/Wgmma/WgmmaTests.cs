using NanoFold.Gpu.Tests.Ptx;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Wgmma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>Products by warpgroups, run by the machine in several orders and compared with sums in double.</summary>
[Parallelizable]
internal sealed class WgmmaTests
{
    private static readonly GemmTile s_tile = new(128, 64, 16, 64, 128, 3, 1);
    private static readonly GpuType[] s_types = [GpuType.BFloat16, GpuType.Float16];

    [TestCaseSource(nameof(Layouts))]
    [TestCaseSource(nameof(Edges))]
    [TestCaseSource(nameof(Epilogues))]
    public void TheProductIsThatOfTheDefinition(object gemm) => ((GemmCase)gemm).Check();

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileWorksAndLanesDoNotMeetInBanks(object gemm) => Assert.That(((GemmCase)gemm).Check(), Is.LessThan(0.02));

    [Test]
    public void AResidualIsAddedToTheRoundedProduct([Values(GpuType.BFloat16, GpuType.Float16)] GpuType type, [Values] bool isWide)
    {
        GemmCase added = Case(type, 130, 72, 104) with { Residual = type, Bias = GpuType.Float32, Alpha = 0.7f, PadY = isWide ? 0 : 1 };
        (double[] product, double[] residual) = (added with { Residual = null }).Run();
        Assert.That(added.Run().Y, Is.EqualTo(product.Zip(residual, (p, r) => Rounded(type, (float)p + (float)r))));
    }

    [Test]
    public void TheOrderChangesNoBit()
    {
        double[][] results = [.. PtxSchedule.All(3).Select(schedule => (Case(GpuType.BFloat16, 200, 136, 264) with { Schedule = schedule, Output = GpuType.Float32 }).Run().Y)];
        Assert.That(results, Has.All.EqualTo(results[0]));
    }

    [TestCase(90, true, 8, true)]
    [TestCase(90, false, 8, false)]
    [TestCase(80, true, 8, false)]
    [TestCase(100, true, 8, false)]
    [TestCase(120, true, 8, false)]
    [TestCase(90, true, 7, false)]
    public void OnlyThatCardHasThemWhereTheyAreAskedForAndRowsBeginAtSixteenBytes(int architecture, bool isAskedFor, int pad, bool isThere)
    {
        var chooser = new GemmChooser(new GemmDeviceClass(architecture, 132, 228 * 1024, isAskedFor));
        long stride = 2 * (1024 + pad);
        var problem = new GemmProblem
        {
            Input = GpuType.BFloat16, Output = GpuType.BFloat16, M = 1024, N = 1024, K = 1024, InnerCount = 1, OuterCount = 1, StrideA = stride, StrideB = stride, StrideY = 2048,
        };
        Assert.That(chooser.Candidates(problem, Kernels.Gpu.Gemm.GpuPrecision.Float32).Any(c => c.Family == GemmFamily.Wgmma), Is.EqualTo(isThere));
        Assert.That(chooser.Choose(problem, Kernels.Gpu.Gemm.GpuPrecision.Float32).Family, Is.EqualTo(isThere ? GemmFamily.Wgmma : GemmFamily.Mma));
    }

    [Test]
    public void NothingElseThanPlainSixteenBitProductsIsTaken()
    {
        var problem = new GemmProblem { Input = GpuType.Float16, Output = GpuType.Float16, M = 64, N = 64, K = 64, InnerCount = 1, OuterCount = 1, StrideA = 128, StrideB = 128, StrideY = 128 };
        Assert.Multiple(() =>
        {
            Assert.That(WgmmaGemm.Fits(problem), Is.True);
            Assert.That(WgmmaGemm.Fits(problem with { Input = GpuType.Float32 }), Is.False);
            Assert.That(WgmmaGemm.Fits(problem with { InnerCount = 2 }), Is.False);
            Assert.That(WgmmaGemm.Fits(problem with { Mode = GemmMode.RowGroups }), Is.False);
            Assert.That(WgmmaGemm.Fits(problem with { A = 8 }), Is.False);
            Assert.That(WgmmaGemm.Fits(problem with { StrideB = 0 }), Is.False, "rows that are all one");
        });
    }

    [Test]
    public void EveryTileFitsIntoABlockOfSomeProduct()
        => Assert.That(GemmTiles.Wgmma.Select(tile => WgmmaGemm.SharedBytes(new GemmSpec { Input = GpuType.BFloat16, Output = GpuType.Float32, AlignA = 16, AlignB = 16 }, tile)), Has.All.LessThanOrEqualTo(227 * 1024));

    private static GemmCase Case(GpuType type, int m, int n, int k) => new(GemmFamily.Wgmma, s_tile, type, m, n, k) { ColumnsB = true };

    private static double Rounded(GpuType type, float value)
        => type == GpuType.Float16 ? (double)(Half)value : BitConverter.UInt32BitsToSingle((uint)PtxFormulas.BFloat(BitConverter.SingleToUInt32Bits(value)) << 16);

    private static IEnumerable<GemmCase> Layouts()
        => from type in s_types
           from a in new[] { false, true }
           from b in new[] { false, true }
           from schedule in PtxSchedule.All(2).Take(type == GpuType.BFloat16 ? 6 : 1)
           select Case(type, 256, 128, 256) with { ColumnsA = a, ColumnsB = b, Schedule = schedule, Multiprocessors = 1 + schedule.Seed ?? 3 };

    // Rows are padded to multiples of 16 bytes; of y also not.
    private static IEnumerable<GemmCase> Edges()
        => from size in ((int M, int N, int K)[])[(70, 90, 43), (130, 91, 64), (1, 8, 8), (129, 65, 200)]
           from a in new[] { false, true }
           from b in new[] { false, true }
           from pad in new[] { 0, 7 - (size.N + 7) % 8 }.Distinct()
           select Case(GpuType.BFloat16, size.M, size.N, size.K) with
           {
               ColumnsA = a,
               ColumnsB = b,
               PadA = 7 - ((a ? size.M : size.K) + 7) % 8 + (b ? 8 : 0),
               PadB = 7 - ((b ? size.K : size.N) + 7) % 8,
               PadY = pad,
               Shift = 8,
               Multiprocessors = 1,
           };

    private static IEnumerable<GemmCase> Epilogues()
        => from type in s_types
           from bias in new GpuType?[] { null, type, GpuType.Float32 }
           from residual in new GpuType?[] { null, type, GpuType.Float32 }
           from accumulate in new[] { false, true }
           from output in new[] { type, GpuType.Float32 }
           where type == GpuType.BFloat16 || bias == residual
           select Case(type, 130, 72, 72) with { Bias = bias, Residual = residual, Accumulate = accumulate, Output = output, Alpha = 0.5f, Multiprocessors = 1 };

    private static IEnumerable<GemmCase> Tiles()
        => from tile in GemmTiles.Wgmma
           from a in new[] { false, true }
           from b in new[] { false, true }
           from output in new[] { GpuType.BFloat16, GpuType.Float32 }
           where new WgmmaLayout(new GemmSpec { Input = GpuType.BFloat16, Output = output, AlignA = 16, AlignB = 16, WideY = true }, tile).SharedBytes <= 227 * 1024
           select new GemmCase(GemmFamily.Wgmma, tile, GpuType.BFloat16, 2 * tile.M, tile.N, 64 * (tile.Stages + 1)) { ColumnsA = a, ColumnsB = b, Output = output, Multiprocessors = 1, Schedule = new() { LastWarpFirst = b } };
}
