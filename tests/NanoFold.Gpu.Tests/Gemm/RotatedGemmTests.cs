using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Gemm.Mma;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Products that turn heads by rotary positions where they end.</summary>
[Parallelizable]
internal sealed class RotatedGemmTests
{
    private static readonly GemmTile s_tile = new(64, 64, 32, 32, 64, 3, 0);
    private static readonly GemmRotation s_rotation = new(32, 32, IsInterleaved: false, HasPositions: false);
    private static readonly RotatedCase s_case = new(s_tile, GpuType.BFloat16, 70, 2, 32, 72, s_rotation);

    [TestCaseSource(nameof(Kinds))]
    public void BitsAreThoseOfAProductAndATurnAfterwards(object rotated) => ((RotatedCase)rotated).Check();

    [TestCaseSource(nameof(Tiles))]
    [Category("Long")]
    public void EveryTileHasItsPairs(object rotated) => ((RotatedCase)rotated).Check();

    [Test]
    public void WhatIsChangedIsSeen()
    {
        Assert.That(Fails(s_case, text => text), Is.False, "as it is");
        Assert.That(Fails(s_case, text => Changed(text, "bar.sync 0;", "")), "barriers");
        Assert.That(Fails(s_case, text => Changed(text, ", 0f3F800000, 0fBF800000", ", 0fBF800000, 0f3F800000")), "the sign of sines");
        Assert.That(Fails(s_case, text => Changed(text, ", -16, 0,", ", 0, 0,")), "where the first column of a pair is");
        Assert.That(Fails(s_case, text => Changed(text, ", 0, 16,", ", 0, 0,")), "where the second column of a pair is");
        Assert.That(Fails(s_case, text => Changed(text, "div.u32", "rem.u32")), "which row of the batch it is");
        RotatedCase placed = s_case with { Rotation = s_rotation with { HasPositions = true } };
        Assert.That(Fails(placed, text => text), Is.False, "as it is");
        Assert.That(Fails(placed, text => Changed(text, "min.s32", "max.s32")), "positions outside of the table");
    }

    /// <summary>On a card of 132 multiprocessors the joined projections of a layer do it; not without tensor cores, nor where a pair is in two warps.</summary>
    [TestCase(90, 64, false, true)]
    [TestCase(80, 128, true, true)]
    [TestCase(80, 128, false, false)]
    [TestCase(70, 64, false, false)]
    public void ItIsChosenWhereThereAreTensorCores(int architecture, int headDim, bool interleaved, bool isChosen)
    {
        var chooser = new GemmChooser(new GemmDeviceClass(architecture, 132, 228 * 1024));
        var problem = new GemmProblem
        {
            M = 16384, N = 2304, K = 768, OuterCount = 1, InnerCount = 1, Input = GpuType.BFloat16, Output = GpuType.BFloat16, ColumnsB = true, Alpha = 1, StrideA = 1536, StrideB = 1536, StrideY = 4608,
            Rotation = new GemmRotation(headDim, headDim, interleaved, HasPositions: false), Time = 1024, TurnedColumns = 1536,
        };
        Assert.That(chooser.FusionPays(problem, GpuPrecision.Float32), Is.EqualTo(isChosen));
        Assert.That(!isChosen || chooser.Choose(problem, GpuPrecision.Float32) is { Family: GemmFamily.Mma, Slices: 1 });
    }

    private static string Changed(string text, string what, string with)
    {
        Assert.That(text, Does.Contain(what));
        return text.Replace(what, with, StringComparison.Ordinal);
    }

    private static bool Fails(RotatedCase rotated, Func<string, string> edit) => new[] { false, true }.Any(last =>
    {
        using (new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext())
        {
            try
            {
                (rotated with { Edit = edit, Schedule = new() { LastWarpFirst = last } }).Check();
                return false;
            }
            catch (Exception e) when (e is AssertionException or InvalidOperationException)
            {
                return true;
            }
        }
    });

    private static IEnumerable<RotatedCase> Kinds()
        => from type in Enum.GetValues<GpuType>()
           from rotation in new[] { s_rotation, s_rotation with { IsInterleaved = true, HasPositions = true }, new(32, 16, false, true), new(16, 16, false, false), new(24, 8, true, false), new(16, 8, type != GpuType.Float32, true) }
           from architecture in type == GpuType.Float32 ? new[] { 80, 90 } : [80]
           select new RotatedCase(s_tile, type, 70, 3, 40, 72, rotation) { HasBias = rotation.IsInterleaved == rotation.HasPositions, Architecture = architecture, StartsEarly = architecture == 90, Schedule = new() { LastWarpFirst = rotation.HasPositions } };

    private static IEnumerable<RotatedCase> Tiles()
        => from tile in GemmTiles.Mma
           from type in new[] { GpuType.BFloat16, GpuType.Float32 }
           from rotation in new[] { new GemmRotation(tile.WarpN, tile.WarpN, false, true), new GemmRotation(128, 128, true, false) }
           select new RotatedCase(tile, type, tile.M + 8, 2, 64, 96, rotation) { HasBias = true };
}
