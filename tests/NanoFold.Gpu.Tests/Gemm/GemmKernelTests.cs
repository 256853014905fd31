using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Kernels of products, run by the machine on tiny shapes.</summary>
[Parallelizable]
internal sealed class GemmKernelTests
{
    private static readonly GemmTile s_mma = new(64, 64, 32, 32, 64, 3, 0);
    private static readonly GemmTile s_deep = new(64, 64, 32, 32, 128, 3, 0);
    private static readonly GemmTile s_simt = SimtGemm.Tile(64, 64, 32, 64, 0);

    [TestCaseSource(nameof(Layouts))]
    [TestCaseSource(nameof(Edges))]
    [TestCaseSource(nameof(Epilogues))]
    [TestCaseSource(nameof(Batches))]
    [TestCaseSource(nameof(Groups))]
    [TestCaseSource(nameof(FewRows))]
    public void TheProductIsThatOfTheDefinition(object gemm) => ((GemmCase)gemm).Check();

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileWorksAndLanesDoNotMeetInBanks(object gemm)
        => Assert.That(((GemmCase)gemm).Check(), Is.LessThan(0.02));

    [TestCaseSource(nameof(Residuals))]
    public void AResidualIsAddedToTheRoundedProduct(object gemm)
    {
        var added = (GemmCase)gemm;
        (double[] product, double[] residual) = (added with { Residual = null }).Run();
        double[] expected = product.Zip(residual, (p, r) => Rounded(added.Output!.Value, (float)p + (float)r)).ToArray();
        Assert.That(added.Run().Y, Is.EqualTo(expected));
    }

    private static double Rounded(GpuType type, float value) => type switch
    {
        GpuType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)Ptx.PtxFormulas.BFloat(BitConverter.SingleToUInt32Bits(value)) << 16),
        GpuType.Float16 => (double)(Half)value,
        _ => value,
    };

    private static IEnumerable<GemmCase> Residuals()
        => from gemm in Kernels(40, 72, 200).Append(new GemmCase(GemmFamily.FewRows, FewRowsGemm.Tile(3), GpuType.BFloat16, 3, 37, 264) { ColumnsB = true })
           from output in new[] { gemm.Input, GpuType.Float32 }.Distinct()
           from bias in new GpuType?[] { null, gemm.Input }
           from slices in new[] { 1, 3 }
           where slices == 1 || gemm.Family != GemmFamily.FewRows
           select gemm with { Output = output, Bias = bias, Residual = output, Alpha = 0.7f, Slices = slices, PadY = slices };

    private static IEnumerable<GemmCase> Kernels(int m, int n, int k)
    {
        foreach (GpuType type in Enum.GetValues<GpuType>())
        {
            yield return new GemmCase(GemmFamily.Mma, s_mma, type, m, n, k);
            yield return new GemmCase(GemmFamily.Simt, s_simt, type, m, n, k);
        }
    }

    private static IEnumerable<GemmCase> Layouts()
        => from gemm in Kernels(64, 64, 96)
           from a in new[] { false, true }
           from b in new[] { false, true }
           from architecture in gemm is { Family: GemmFamily.Mma, Input: GpuType.Float32 } ? new[] { 80, 90 } : [80]
           select gemm with { ColumnsA = a, ColumnsB = b, Schedule = new() { LastWarpFirst = a }, Architecture = architecture };

    private static IEnumerable<GemmCase> Edges()
        => from gemm in Kernels(70, 90, 43)
           from a in new[] { false, true }
           from b in new[] { false, true }
           from pads in new[] { (0, 0, 0, 0), (5, 6, 1, 0), (1, 3, 2, 1), (0, 0, 0, 2), (-1, -1, -1, 0) }
           let padded = pads.Item1 < 0
           select gemm with
           {
               ColumnsA = a,
               ColumnsB = b,
               // Padded to whole chunks: aligned, but with rows that end inside of one.
               PadA = padded ? 7 - ((a ? 70 : 43) + 7) % 8 : pads.Item1,
               PadB = padded ? 7 - ((b ? 43 : 90) + 7) % 8 : pads.Item2,
               PadY = padded ? 6 : pads.Item3,
               Shift = pads.Item4,
           };

    private static IEnumerable<GemmCase> Epilogues()
        => from gemm in Kernels(40, 72, 32)
           from bias in new GpuType?[] { null, gemm.Input, GpuType.Float32 }
           from residual in new GpuType?[] { null, gemm.Input }
           from accumulate in new[] { false, true }
           from output in new[] { gemm.Input, GpuType.Float32 }
           from slices in new[] { 1, 3 }
           where output != gemm.Input || slices == 1 || residual is null
           select gemm with { Bias = bias, Residual = residual, Accumulate = accumulate, Output = output, Alpha = 0.5f, Slices = slices, K = slices > 1 ? 200 : 32 };

    private static IEnumerable<GemmCase> Batches()
        => from gemm in Kernels(33, 40, 24)
           from broadcast in new[] { false, true }
           from residual in new GpuType?[] { null, gemm.Input }
           select gemm with { Outer = 2, Inner = 3, BroadcastB = broadcast, Residual = residual };

    private static IEnumerable<GemmCase> Groups()
        => from gemm in Kernels(200, 48, 40)
           from per in new[] { false, true }
           from columnsB in new[] { false, true }
           from accumulate in new[] { false, true }
           where !(per && columnsB)
           select gemm with
           {
               Offsets = [0, 0, 70, 71, 71, 199],
               PerGroup = per,
               ColumnsA = per,
               ColumnsB = columnsB,
               Accumulate = accumulate,
               M = per ? 56 : 200,
               K = per ? 200 : 40,
           };

    private static IEnumerable<GemmCase> FewRows()
        => from type in Enum.GetValues<GpuType>()
           from rows in new[] { 1, 2, 3, 8 }
           from residual in new GpuType?[] { null, type }
           select new GemmCase(GemmFamily.FewRows, FewRowsGemm.Tile(rows), type, rows, 37, 1208)
           {
               ColumnsB = true,
               PadA = 8,
               Residual = residual,
               Accumulate = residual is null,
               Bias = GpuType.Float32,
               Alpha = 2,
               Outer = rows == 2 ? 3 : 1,
           };

    private static IEnumerable<GemmCase> Tiles()
    {
        var tiles = new List<(GemmFamily Family, GemmTile Tile)> { (GemmFamily.Mma, s_deep), (GemmFamily.Mma, s_mma) };
        tiles.AddRange(GemmTiles.Mma.Select(tile => (GemmFamily.Mma, tile)));
        tiles.AddRange(GemmTiles.Simt.Select(tile => (GemmFamily.Simt, tile)));
        return from tile in tiles
               from type in tile.Family == GemmFamily.Mma ? new[] { GpuType.BFloat16, GpuType.Float32 } : [GpuType.Float32]
               from a in new[] { false, true }
               from b in new[] { false, true }
               select new GemmCase(tile.Family, tile.Tile, type, tile.Tile.M, tile.Tile.N, 160) { ColumnsA = a, ColumnsB = b, Output = GpuType.Float32, Schedule = new() { LastWarpFirst = b } };
    }
}
